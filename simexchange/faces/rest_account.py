"""Account, order and trade queries, and the few /sapi calls clients make."""

from collections.abc import Callable, Sequence
from typing import Any

from simexchange.engine import views
from simexchange.engine.exchange import Exchange
from simexchange.engine.orders import OrderList
from simexchange.errors import ApiError
from simexchange.faces.limits import Limits
from simexchange.faces.order_params import (
    client_id,
    flag,
    limit_of,
    symbol_of,
    whole,
)
from simexchange.faces.params import missing
from simexchange.faces.routing import Call, Route, Routes

DAY_MS = 86_400_000
LIST_NOT_FOUND = ApiError(-2018, "Order list does not exist.")


def page(
    rows: Sequence[Any],
    call: Call,
    *,
    time_of: Callable[[Any], int],
    from_id: tuple[str, Callable[[Any], int]],
) -> list[Any]:
    """Return a page of ascending rows by the exchange's history rules.

    No times: the newest; startTime: the oldest from it; endTime: the newest up to it; an id: the
    oldest from it on. More than 24 hours between the times are refused.
    """
    start_ms = whole(call.params, "startTime", -1)
    end_ms = whole(call.params, "endTime", -1)
    if start_ms >= 0 and end_ms >= 0 and end_ms - start_ms > DAY_MS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    limit = limit_of(call.params)
    id_name, id_of = from_id
    first_id = whole(call.params, id_name, -1)
    if first_id >= 0:
        return [row for row in rows if id_of(row) >= first_id][:limit]
    chosen = [
        row for row in rows if time_of(row) >= start_ms and (end_ms < 0 or time_of(row) <= end_ms)
    ]
    return chosen[:limit] if start_ms >= 0 else chosen[-limit:]


class AccountFace:
    """The USER_DATA endpoints."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.ledger = exchange.ledger
        self.limits = limits

    def routes(self) -> Routes:
        def read(handler: Any, weight: Any) -> Route:
            return Route(handler, weight=weight, signed=True)

        def by_symbol(call: Call) -> int:
            return 6 if "symbol" in call.params else 80

        def by_order(call: Call) -> int:
            return 5 if "orderId" in call.params else 20

        return {
            ("GET", "/api/v3/account"): read(self.account, 20),
            ("GET", "/api/v3/account/commission"): read(self.commission, 20),
            ("GET", "/api/v3/rateLimit/order"): read(self.order_limits, 40),
            ("GET", "/api/v3/order"): read(self.order, 4),
            ("GET", "/api/v3/openOrders"): read(self.open_orders, by_symbol),
            ("GET", "/api/v3/allOrders"): read(self.all_orders, 20),
            ("GET", "/api/v3/myTrades"): read(self.my_trades, by_order),
            ("GET", "/api/v3/orderList"): read(self.order_list, 4),
            ("GET", "/api/v3/openOrderList"): read(self.open_lists, 6),
            ("GET", "/api/v3/allOrderList"): read(self.all_lists, 20),
            ("GET", "/api/v3/order/amendments"): read(lambda _call: [], 4),
            ("GET", "/api/v3/myPreventedMatches"): read(lambda _call: [], 20),
            ("GET", "/api/v3/myAllocations"): read(lambda _call: [], 20),
            **self._sapi_routes(),
        }

    def _sapi_routes(self) -> Routes:
        def empty(_call: Call) -> list[Any]:
            return []

        return {
            ("GET", "/sapi/v1/account/apiRestrictions"): Route(self.restrictions, signed=True),
            ("GET", "/sapi/v1/capital/config/getall"): Route(self.coins, 10, signed=True),
            ("GET", "/sapi/v1/asset/tradeFee"): Route(self.trade_fee, signed=True),
            ("GET", "/sapi/v1/system/status"): Route(lambda _call: {"status": 0, "msg": "normal"}),
            ("GET", "/sapi/v1/margin/allPairs"): Route(empty),
            ("GET", "/sapi/v1/margin/isolated/allPairs"): Route(empty),
        }

    # --- the account --------------------------------------------------------------------------

    def account(self, call: Call) -> dict[str, Any]:
        account = self.ledger.accounts[call.account]
        omit_zero = flag(call.params, "omitZeroBalances")
        return {
            "makerCommission": int(account.maker_fee * 10_000),
            "takerCommission": int(account.taker_fee * 10_000),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": views.rate_text(account.maker_fee),
                "taker": views.rate_text(account.taker_fee),
                "buyer": views.ZERO_TEXT,
                "seller": views.ZERO_TEXT,
            },
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": account.updated_ms,
            "accountType": "SPOT",
            "balances": views.balances(account, omit_zero=omit_zero),
            "permissions": ["SPOT"],
            "uid": int(account.account_id),
        }

    def commission(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        account = self.ledger.accounts[call.account]
        none = dict.fromkeys(("maker", "taker", "buyer", "seller"), views.ZERO_TEXT)
        return {
            "symbol": symbol,
            "standardCommission": {
                **none,
                "maker": views.rate_text(account.maker_fee),
                "taker": views.rate_text(account.taker_fee),
            },
            "specialCommission": none,
            "taxCommission": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "BNB",
                "discount": views.ZERO_TEXT,
            },
        }

    def order_limits(self, call: Call) -> list[dict[str, Any]]:
        return self.limits.describe_orders(call.account)

    # --- orders, trades, lists ----------------------------------------------------------------

    def order(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        order_id = whole(call.params, "orderId")
        held = client_id(call.params, "origClientOrderId")
        if not order_id and not held:
            raise ApiError(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )
        account = self.ledger.accounts[call.account]
        return views.query(self.exchange.find_order(account, symbol, order_id, held))

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

    def _list_view(self, group: OrderList) -> dict[str, Any]:
        return views.order_list(group, self.ledger.list_members(group))

    def order_list(self, call: Call) -> dict[str, Any]:
        list_id = whole(call.params, "orderListId", -1)
        held = client_id(call.params, "origClientOrderId")
        if list_id < 0 and not held:
            raise missing("orderListId")
        account = self.ledger.accounts[call.account]
        group = self.exchange.find_list(account, list_id if list_id >= 0 else None, held)
        if group is None:
            raise LIST_NOT_FOUND
        return self._list_view(group)

    def _lists_of(self, call: Call) -> list[OrderList]:
        return [one for one in self.ledger.lists.values() if one.account == call.account]

    def open_lists(self, call: Call) -> list[dict[str, Any]]:
        return [self._list_view(one) for one in self._lists_of(call) if one.is_open]

    def all_lists(self, call: Call) -> list[dict[str, Any]]:
        rows = page(
            self._lists_of(call),
            call,
            time_of=lambda one: one.created_ms,
            from_id=("fromId", lambda one: one.list_id),
        )
        return [self._list_view(one) for one in rows]

    # --- /sapi --------------------------------------------------------------------------------

    def restrictions(self, call: Call) -> dict[str, Any]:
        return {
            "ipRestrict": False,
            "createTime": call.now_ms,
            "enableReading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": False,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": True,
            "enablePortfolioMarginTrading": False,
        }

    def coins(self, call: Call) -> list[dict[str, Any]]:
        return [
            {
                "coin": row["asset"],
                "name": row["asset"],
                "free": row["free"],
                "locked": row["locked"],
                "trading": True,
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "isLegalMoney": False,
                "networkList": [],
            }
            for row in views.balances(self.ledger.accounts[call.account])
        ]

    def trade_fee(self, call: Call) -> list[dict[str, Any]]:
        account = self.ledger.accounts[call.account]
        known = self.exchange.rules
        chosen = [symbol_of(call.params, known)] if "symbol" in call.params else list(known)
        return [
            {
                "symbol": symbol,
                "makerCommission": views.rate_text(account.maker_fee),
                "takerCommission": views.rate_text(account.taker_fee),
            }
            for symbol in chosen
        ]
