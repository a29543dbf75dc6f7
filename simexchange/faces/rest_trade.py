"""Placing, testing and cancelling single orders; the WebSocket API calls the same handlers."""

from typing import Any

from simexchange.engine import views
from simexchange.engine.accounts import Account
from simexchange.engine.exchange import Canceled, Exchange
from simexchange.engine.finding import RESTRICTIONS
from simexchange.engine.orders import Order, OrderRequest
from simexchange.errors import ApiError
from simexchange.faces.counting import count_placement
from simexchange.faces.limits import Limits
from simexchange.faces.order_params import choice, client_id, flag, order_key, symbol_of
from simexchange.faces.read_orders import ORDER_NAMES, read_order
from simexchange.faces.routing import Call, Route, Routes

CANCEL_NAMES = frozenset(
    {"symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions"}
)


def placed_view(exchange: Exchange, order: Order, response: str) -> dict[str, Any]:
    """Return a placement's reply in the wanted format, prevented matches included."""
    shown = views.PLACED[response](order)
    matches = exchange.ledger.prevented_of.get(order.order_id)
    if matches and response != "ACK":
        shown["preventedMatches"] = [
            views.prevented_in_reply(one) for one in matches if one.taker_order_id == order.order_id
        ]
    return shown


def canceled_view(exchange: Exchange, done: Canceled) -> dict[str, Any]:
    """Return the cancel view, or the list view with the reports of the orders it ended."""
    reports = [views.canceled(one, done.cancel_id) for one in done.orders]
    if done.group is None:
        return reports[0]
    members = exchange.ledger.list_members(done.group)
    return {**views.order_list(done.group, members), "orderReports": reports}


class TradeFace:
    """The TRADE endpoints of single orders."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.limits = limits

    def routes(self) -> Routes:
        def trade(handler: Any, names: frozenset[str], *, orders: int = 0) -> Route:
            return Route(
                handler,
                signed=True,
                trades=True,
                free_on_success=True,
                orders=orders,
                names=names,
            )

        def test_weight(call: Call) -> int:
            return 20 if call.params.get("computeCommissionRates") == "true" else 1

        test_names = ORDER_NAMES | {"computeCommissionRates"}
        return {
            ("POST", "/api/v3/order"): trade(self.place, ORDER_NAMES, orders=1),
            ("POST", "/api/v3/order/test"): Route(
                self.test, weight=test_weight, signed=True, trades=True, names=test_names
            ),
            ("DELETE", "/api/v3/order"): trade(self.cancel, CANCEL_NAMES),
            ("DELETE", "/api/v3/openOrders"): trade(self.cancel_all, frozenset({"symbol"})),
            ("POST", "/api/v3/sor/order"): trade(self.refuse_sor, ORDER_NAMES),
            ("POST", "/api/v3/sor/order/test"): trade(self.refuse_sor, test_names),
        }

    def account_of(self, call: Call) -> Account:
        return self.exchange.ledger.accounts[call.account]

    def place(self, call: Call) -> dict[str, Any]:
        request = read_order(call.params, self.exchange.rules)
        order = count_placement(
            self.limits, call, 1, lambda: self.exchange.place(self.account_of(call), request)
        )
        return placed_view(self.exchange, order, request.response)

    def test(self, call: Call) -> dict[str, Any]:
        account = self.account_of(call)
        request = read_order(call.params, self.exchange.rules)
        self.exchange.check(account, request)
        if not flag(call.params, "computeCommissionRates"):
            return {}
        commission, is_buyer = account.commission, request.side == "BUY"
        return {
            "standardCommissionForOrder": views.order_rates(commission.standard, is_buyer=is_buyer),
            "specialCommissionForOrder": views.order_rates(commission.special, is_buyer=is_buyer),
            "taxCommissionForOrder": views.order_rates(commission.tax, is_buyer=is_buyer),
            "discount": views.discount(commission),
        }

    def cancel(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        order_id, held = order_key(call.params)
        done = self.exchange.cancel(
            self.account_of(call),
            symbol,
            order_id=order_id,
            client_id=held,
            cancel_id=client_id(call.params, "newClientOrderId"),
            restriction=choice(call.params, "cancelRestrictions", tuple(RESTRICTIONS)),
        )
        return canceled_view(self.exchange, done)

    def cancel_all(self, call: Call) -> list[dict[str, Any]]:
        symbol = symbol_of(call.params, self.exchange.rules)
        done = self.exchange.cancel_all(self.account_of(call), symbol)
        return [canceled_view(self.exchange, one) for one in done]

    def refuse_sor(self, call: Call) -> dict[str, Any]:
        """Refuse smart order routing: no base asset here has symbols to route between."""
        request: OrderRequest = read_order(call.params, self.exchange.rules)
        raise ApiError(-1013, f"SOR is not supported for {request.symbol}.")
