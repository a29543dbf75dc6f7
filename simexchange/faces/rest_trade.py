"""Placing and cancelling over REST; the WebSocket API calls the same handlers."""

from typing import Any

from simexchange.engine import views
from simexchange.engine.accounts import Account
from simexchange.engine.exchange import Canceled, Exchange
from simexchange.engine.orders import Order, OrderRequest
from simexchange.errors import ApiError
from simexchange.faces.limits import Limits
from simexchange.faces.order_params import (
    choice,
    client_id,
    flag,
    read_order,
    symbol_of,
    whole,
)
from simexchange.faces.params import missing
from simexchange.faces.read_oco import read_new_oco, read_old_oco
from simexchange.faces.routing import Call, Route, Routes

RESTRICTIONS = ("ONLY_NEW", "ONLY_PARTIALLY_FILLED")


class RefusedWithData(ApiError):
    """A refusal whose body carries `data`."""

    def __init__(self, code: int, msg: str, status: int, data: dict[str, Any]) -> None:
        super().__init__(code, msg, status)
        self.data = data


class TradeFace:
    """The TRADE endpoints."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.limits = limits

    def routes(self) -> Routes:
        def trade(handler: Any, *, free: bool = True) -> Route:
            return Route(handler, signed=True, free_on_success=free)

        return {
            ("POST", "/api/v3/order"): trade(self.place),
            ("POST", "/api/v3/order/test"): trade(self.test, free=False),
            ("DELETE", "/api/v3/order"): trade(self.cancel),
            ("DELETE", "/api/v3/openOrders"): trade(self.cancel_all),
            ("POST", "/api/v3/order/cancelReplace"): trade(self.cancel_replace),
            ("POST", "/api/v3/orderList/oco"): trade(self.place_oco),
            ("POST", "/api/v3/order/oco"): trade(self.place_old_oco),
            ("DELETE", "/api/v3/orderList"): trade(self.cancel_list),
        }

    def account_of(self, call: Call) -> Account:
        return self.exchange.ledger.accounts[call.account]

    def _count(self, call: Call, orders: list[Order], placed: int) -> None:
        """Book the unfilled orders: placed ones up, a taker's first fill down again."""
        filled = sum(1 for one in orders if one.fills)
        self.limits.count_orders(call.account, placed - filled)
        self._show_counts(call)

    def _show_counts(self, call: Call) -> None:
        short, day = self.limits.order_counts(call.account)
        call.headers["x-mbx-order-count-10s"] = str(short)
        call.headers["x-mbx-order-count-1d"] = str(day)

    def place(self, call: Call) -> dict[str, Any]:
        request = read_order(call.params, self.exchange.rules)
        self.limits.check_orders(call.account, 1)
        order = self.exchange.place(self.account_of(call), request)
        self._count(call, [order], 1)
        return views.PLACED[request.response](order)

    def test(self, call: Call) -> dict[str, Any]:
        account = self.account_of(call)
        self.exchange.check(account, read_order(call.params, self.exchange.rules))
        if not flag(call.params, "computeCommissionRates"):
            return {}
        none = {"maker": views.ZERO_TEXT, "taker": views.ZERO_TEXT}
        return {
            "standardCommissionForOrder": {
                "maker": views.rate_text(account.maker_fee),
                "taker": views.rate_text(account.taker_fee),
            },
            "specialCommissionForOrder": none,
            "taxCommissionForOrder": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "BNB",
                "discount": views.ZERO_TEXT,
            },
        }

    def _which(self, call: Call, id_name: str, client_name: str) -> tuple[int, str]:
        order_id = whole(call.params, id_name)
        held = client_id(call.params, client_name)
        if not order_id and not held:
            raise ApiError(
                -1102,
                f"Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!",
            )
        return order_id, held

    def canceled_view(self, done: Canceled) -> dict[str, Any]:
        """Return the cancel view, or the list view with the reports of its legs."""
        reports = [views.canceled(one, done.cancel_id) for one in done.orders]
        if done.group is None:
            return reports[0]
        return {**views.order_list(done.group, done.orders), "orderReports": reports}

    def cancel(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        order_id, held = self._which(call, "orderId", "origClientOrderId")
        done = self.exchange.cancel(
            self.account_of(call),
            symbol,
            order_id=order_id,
            client_id=held,
            cancel_id=client_id(call.params, "newClientOrderId"),
            restriction=choice(call.params, "cancelRestrictions", RESTRICTIONS),
        )
        return self.canceled_view(done)

    def cancel_all(self, call: Call) -> list[dict[str, Any]]:
        symbol = symbol_of(call.params, self.exchange.rules)
        done = self.exchange.cancel_all(self.account_of(call), symbol)
        return [self.canceled_view(one) for one in done]

    def place_oco(self, call: Call) -> dict[str, Any]:
        return self._place_oco(call, read_new_oco(call.params, self.exchange.rules))

    def place_old_oco(self, call: Call) -> dict[str, Any]:
        return self._place_oco(call, read_old_oco(call.params, self.exchange.rules))

    def _place_oco(self, call: Call, request: Any) -> dict[str, Any]:
        self.limits.check_orders(call.account, 2)
        group = self.exchange.place_oco(self.account_of(call), request)
        members = self.exchange.ledger.list_members(group)
        self._count(call, members, 2)
        reports = [views.PLACED[request.response](one) for one in members]
        return {**views.order_list(group, members), "orderReports": reports}

    def cancel_list(self, call: Call) -> dict[str, Any]:
        symbol_of(call.params, self.exchange.rules)
        list_id = whole(call.params, "orderListId", -1)
        held = client_id(call.params, "listClientOrderId")
        if list_id < 0 and not held:
            raise ApiError(
                -1102,
                "Param 'orderListId' or 'listClientOrderId' must be sent, "
                "but both were empty/null!",
            )
        done = self.exchange.cancel_list(
            self.account_of(call),
            list_id if list_id >= 0 else None,
            held,
            client_id(call.params, "newClientOrderId"),
        )
        return self.canceled_view(done)

    def cancel_replace(self, call: Call) -> dict[str, Any]:
        """Cancel one order and place another; the outcome tells of both halves."""
        request = read_order(call.params, self.exchange.rules)
        mode = choice(call.params, "cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"))
        if not mode:
            raise missing("cancelReplaceMode")
        order_id, held = self._which(call, "cancelOrderId", "cancelOrigClientOrderId")
        self.exchange.placing.check_alone(request, call.now_ms)
        self.limits.check_orders(call.account, 1)
        outcome: dict[str, Any] = {
            "cancelResult": "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": None,
            "newOrderResponse": None,
        }
        try:
            done = self.exchange.cancel(
                self.account_of(call),
                request.symbol,
                order_id=order_id,
                client_id=held,
                cancel_id=client_id(call.params, "cancelNewClientOrderId"),
                restriction=choice(call.params, "cancelRestrictions", RESTRICTIONS),
            )
            outcome["cancelResponse"] = self.canceled_view(done)
        except ApiError as error:
            outcome["cancelResult"] = "FAILURE"
            outcome["cancelResponse"] = {"code": error.code, "msg": error.msg}
            if mode == "STOP_ON_FAILURE":
                outcome["newOrderResult"] = "NOT_ATTEMPTED"
                raise RefusedWithData(
                    -2022, "Order cancel-replace failed.", 400, outcome
                ) from error
        self._replace(call, request, outcome)
        return self._replaced(outcome)

    def _replace(self, call: Call, request: OrderRequest, outcome: dict[str, Any]) -> None:
        """Do the placing half; its failure is part of the outcome."""
        try:
            order = self.exchange.place(self.account_of(call), request)
        except ApiError as error:
            outcome["newOrderResult"] = "FAILURE"
            outcome["newOrderResponse"] = {"code": error.code, "msg": error.msg}
        else:
            outcome["newOrderResponse"] = views.PLACED[request.response](order)
            self._count(call, [order], 1)

    @staticmethod
    def _replaced(outcome: dict[str, Any]) -> dict[str, Any]:
        failures = [outcome["cancelResult"], outcome["newOrderResult"]].count("FAILURE")
        if failures == 2:
            raise RefusedWithData(-2022, "Order cancel-replace failed.", 400, outcome)
        if failures == 1:
            raise RefusedWithData(-2021, "Order cancel-replace partially failed.", 409, outcome)
        return outcome
