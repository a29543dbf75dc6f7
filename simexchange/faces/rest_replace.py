"""Changing what is open: cancel-replace, and amendments that keep priority."""

from typing import Any

from simexchange.engine import views
from simexchange.engine.accounts import Account
from simexchange.engine.exchange import Exchange
from simexchange.engine.finding import RESTRICTIONS
from simexchange.engine.orders import OrderRequest
from simexchange.errors import ApiError
from simexchange.faces.counting import count_placement, show_counts
from simexchange.faces.limits import Limits, Refused
from simexchange.faces.order_params import (
    choice,
    client_id,
    need,
    need_choice,
    order_key,
    positive,
    symbol_of,
)
from simexchange.faces.read_orders import ORDER_NAMES, read_order
from simexchange.faces.rest_trade import canceled_view, placed_view
from simexchange.faces.routing import Call, Route, Routes

REPLACE_NAMES = ORDER_NAMES | {
    "cancelReplaceMode",
    "cancelOrderId",
    "cancelOrigClientOrderId",
    "cancelNewClientOrderId",
    "cancelRestrictions",
    "orderRateLimitExceededMode",
}
AMEND_NAMES = frozenset({"symbol", "orderId", "origClientOrderId", "newClientOrderId", "newQty"})
MODES = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
EXCEEDED_MODES = ("DO_NOTHING", "CANCEL_ONLY")


class RefusedWithData(ApiError):
    """A refusal whose body carries `data`; tells how long to wait when a limit had a part in it."""

    def __init__(self, code: int, msg: str, status: int, data: dict[str, Any]) -> None:
        super().__init__(code, msg, status)
        self.data = data


class ReplaceFace:
    """The endpoints that change open orders."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.limits = limits

    def routes(self) -> Routes:
        return {
            ("POST", "/api/v3/order/cancelReplace"): Route(
                self.cancel_replace,
                signed=True,
                trades=True,
                free_on_success=True,
                orders=1,
                names=REPLACE_NAMES,
            ),
            ("PUT", "/api/v3/order/amend/keepPriority"): Route(
                self.amend, weight=4, signed=True, trades=True, names=AMEND_NAMES
            ),
        }

    def account_of(self, call: Call) -> Account:
        return self.exchange.ledger.accounts[call.account]

    def amend(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        order_id, held = order_key(call.params)
        need(call.params, "newQty")
        order, amendment = self.exchange.amend(
            self.account_of(call),
            symbol,
            order_id=order_id,
            client_id=held,
            quantity=positive(call.params, "newQty", "quantity"),
            new_client_id=client_id(call.params, "newClientOrderId"),
        )
        reply = {
            "transactTime": amendment.time_ms,
            "executionId": amendment.execution_id,
            "amendedOrder": views.amended(order, amendment),
        }
        ledger = self.exchange.ledger
        group = ledger.list_of(order)
        if group is not None:
            status = views.order_list(group, ledger.list_members(group))
            reply["listStatus"] = {
                name: held
                for name, held in status.items()
                if name not in {"listStatusType", "transactionTime"}
            }
        return reply

    def cancel_replace(self, call: Call) -> dict[str, Any]:
        """Cancel one order and place another; the outcome tells of both halves."""
        request = read_order(call.params, self.exchange.rules)
        mode = need_choice(call.params, "cancelReplaceMode", MODES, "cancelReplaceMode")
        exceeded = choice(
            call.params, "orderRateLimitExceededMode", EXCEEDED_MODES, EXCEEDED_MODES[0]
        )
        order_key(call.params, "cancelOrderId", "cancelOrigClientOrderId")
        if not self.exchange.rules[request.symbol].allows("cancelReplaceAllowed"):
            raise ApiError(-2010, "Order cancel-replace is not supported for this symbol.")
        self.exchange.placing.check_alone(self.account_of(call), request, call.now_ms)
        over = self._over_limit(call)
        if over is not None and exceeded == "DO_NOTHING":
            raise over
        outcome: dict[str, Any] = {
            "cancelResult": "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": None,
            "newOrderResponse": None,
        }
        self._cancel(call, request, outcome)
        if outcome["cancelResult"] == "FAILURE" and mode == "STOP_ON_FAILURE":
            outcome["newOrderResult"] = "NOT_ATTEMPTED"
            self.limits.count_orders(call.account, 1)
            show_counts(self.limits, call)
            raise RefusedWithData(-2022, "Order cancel-replace failed.", 400, outcome)
        self._replace(call, request, outcome)
        return self._told(outcome, is_over=over is not None)

    def _over_limit(self, call: Call) -> Refused | None:
        try:
            self.limits.check_orders(call.account, 1)
        except Refused as error:
            return error
        return None

    def _cancel(self, call: Call, request: OrderRequest, outcome: dict[str, Any]) -> None:
        """Do the cancelling half; its failure is part of the outcome."""
        order_id, held = order_key(call.params, "cancelOrderId", "cancelOrigClientOrderId")
        cancel_id = client_id(call.params, "cancelNewClientOrderId")
        restriction = choice(call.params, "cancelRestrictions", tuple(RESTRICTIONS))
        try:
            done = self.exchange.cancel(
                self.account_of(call),
                request.symbol,
                order_id=order_id,
                client_id=held,
                cancel_id=cancel_id,
                restriction=restriction,
            )
        except ApiError as error:
            outcome["cancelResult"] = "FAILURE"
            outcome["cancelResponse"] = {"code": error.code, "msg": error.msg}
        else:
            outcome["cancelResponse"] = canceled_view(self.exchange, done)

    def _replace(self, call: Call, request: OrderRequest, outcome: dict[str, Any]) -> None:
        """Do the placing half; its failure is part of the outcome."""
        try:
            order = count_placement(
                self.limits, call, 1, lambda: self.exchange.place(self.account_of(call), request)
            )
        except ApiError as error:
            outcome["newOrderResult"] = "FAILURE"
            outcome["newOrderResponse"] = {"code": error.code, "msg": error.msg}
        else:
            outcome["newOrderResponse"] = placed_view(self.exchange, order, request.response)

    @staticmethod
    def _told(outcome: dict[str, Any], *, is_over: bool) -> dict[str, Any]:
        failures = [outcome["cancelResult"], outcome["newOrderResult"]].count("FAILURE")
        if failures == 2:
            status = 429 if is_over else 400
            raise RefusedWithData(-2022, "Order cancel-replace failed.", status, outcome)
        if failures == 1:
            status = 429 if is_over else 409
            raise RefusedWithData(-2021, "Order cancel-replace partially failed.", status, outcome)
        return outcome
