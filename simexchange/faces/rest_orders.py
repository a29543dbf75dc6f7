"""Looking up an account's orders, trades, prevented matches and amendments."""

from typing import Any

from simexchange.engine import views
from simexchange.engine.exchange import Exchange
from simexchange.engine.finding import find_order, is_archived
from simexchange.errors import ApiError
from simexchange.faces.order_params import limit_of, need_one, order_key, symbol_of, whole
from simexchange.faces.paging import PAGE_NAMES, page
from simexchange.faces.params import missing
from simexchange.faces.routing import Call, Route, Routes

SYMBOL = frozenset({"symbol"})
BAD_COMBINATION = ApiError(-1128, "Combination of optional parameters invalid.")


class OrdersFace:
    """The USER_DATA endpoints about orders."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.ledger = exchange.ledger

    def routes(self) -> Routes:
        def by_symbol(call: Call) -> int:
            return 6 if "symbol" in call.params else 80

        def by_order(call: Call) -> int:
            return 5 if "orderId" in call.params else 20

        def by_match(call: Call) -> int:
            return 2 if "preventedMatchId" in call.params else 20

        order_names = SYMBOL | {"orderId", "origClientOrderId"}
        history = SYMBOL | PAGE_NAMES | {"orderId"}
        matches = SYMBOL | {"preventedMatchId", "orderId", "fromPreventedMatchId", "limit"}
        rows: tuple[tuple[str, Any, Any, frozenset[str]], ...] = (
            ("order", self.order, 4, order_names),
            ("openOrders", self.open_orders, by_symbol, SYMBOL),
            ("allOrders", self.all_orders, 20, history),
            ("myTrades", self.my_trades, by_order, history | {"fromId"}),
            ("order/amendments", self.amendments, 4, order_names | {"fromExecutionId", "limit"}),
            ("myPreventedMatches", self.prevented, by_match, matches),
            ("myAllocations", self.allocations, 20, history | {"fromAllocationId"}),
        )
        return {
            ("GET", f"/api/v3/{path}"): Route(handler, weight=weight, signed=True, names=names)
            for path, handler, weight, names in rows
        }

    def order(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        order_id, held = order_key(call.params)
        account = self.ledger.accounts[call.account]
        order = find_order(self.ledger, account, symbol, order_id, held)
        if is_archived(order, call.now_ms):
            raise ApiError(
                -2026,
                "Order was canceled or expired with no executed qty over 90 days ago and has been "
                "archived.",
            )
        return views.query(order)

    def open_orders(self, call: Call) -> list[dict[str, Any]]:
        symbol = symbol_of(call.params, self.exchange.rules) if "symbol" in call.params else ""
        return [views.query(one) for one in self.ledger.open_orders(call.account, symbol)]

    def all_orders(self, call: Call) -> list[dict[str, Any]]:
        symbol = symbol_of(call.params, self.exchange.rules)
        rows = page(
            self.ledger.by_symbol[call.account, symbol],
            call,
            time_of=lambda one: one.created_ms,
            from_id=("orderId", lambda one: one.order_id),
        )
        return [views.query(one) for one in rows]

    def my_trades(self, call: Call) -> list[dict[str, Any]]:
        symbol = symbol_of(call.params, self.exchange.rules)
        has_times = bool({"startTime", "endTime"} & call.params.keys())
        if has_times and {"orderId", "fromId"} & call.params.keys():
            raise BAD_COMBINATION
        fills = self.ledger.fills[call.account, symbol]
        order_id = whole(call.params, "orderId")
        if order_id:
            fills = [one for one in fills if one.order_id == order_id]
        rows = page(
            fills,
            call,
            time_of=lambda one: one.time_ms,
            from_id=("fromId", lambda one: one.trade_id),
        )
        return [views.trade(one) for one in rows]

    def amendments(self, call: Call) -> list[dict[str, Any]]:
        symbol = symbol_of(call.params, self.exchange.rules)
        if "orderId" not in call.params:
            raise missing("orderId")
        account = self.ledger.accounts[call.account]
        order = find_order(self.ledger, account, symbol, whole(call.params, "orderId"), "")
        first = whole(call.params, "fromExecutionId")
        held = self.ledger.amendments.get(order.order_id, [])
        rows = [one for one in held if one.execution_id >= first]
        return [views.amendment(one) for one in rows[: limit_of(call.params)]]

    def prevented(self, call: Call) -> list[dict[str, Any]]:
        symbol = symbol_of(call.params, self.exchange.rules)
        need_one(call.params, "preventedMatchId", "orderId")
        if "preventedMatchId" in call.params:
            wanted = whole(call.params, "preventedMatchId")
            found = [one for one in self.ledger.prevented if one.match_id == wanted]
        else:
            first = whole(call.params, "fromPreventedMatchId")
            held = self.ledger.prevented_of.get(whole(call.params, "orderId"), [])
            found = [one for one in held if one.match_id >= first]
        own = [
            one
            for one in found
            if one.symbol == symbol and call.account in {one.taker_account, one.maker_account}
        ]
        return [views.prevented_match(one) for one in own[: limit_of(call.params)]]

    def allocations(self, call: Call) -> list[dict[str, Any]]:
        """Return no allocations: they come of smart order routing, which no symbol here has."""
        symbol_of(call.params, self.exchange.rules)
        return []
