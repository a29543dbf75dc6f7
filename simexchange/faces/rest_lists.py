"""Order lists: placing, cancelling, looking up."""

from collections.abc import Callable
from typing import Any

from simexchange.engine import views
from simexchange.engine.accounts import Account
from simexchange.engine.exchange import Exchange
from simexchange.engine.finding import find_list
from simexchange.engine.lists import ListRequest
from simexchange.engine.orders import OrderList
from simexchange.errors import ApiError
from simexchange.faces.counting import count_placement
from simexchange.faces.limits import Limits
from simexchange.faces.order_params import client_id, symbol_of
from simexchange.faces.paging import PAGE_NAMES, page
from simexchange.faces.read_lists import (
    OCO_NAMES,
    OLD_OCO_NAMES,
    OTO_NAMES,
    OTOCO_NAMES,
    list_key,
    read_new_oco,
    read_old_oco,
    read_oto,
    read_otoco,
)
from simexchange.faces.rest_trade import canceled_view, placed_view
from simexchange.faces.routing import Call, Route, Routes

Read = Callable[[Call], ListRequest]


class ListFace:
    """The order list endpoints."""

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.ledger = exchange.ledger
        self.limits = limits

    def routes(self) -> Routes:
        known = self.exchange.rules
        kinds: tuple[tuple[str, Read, int, frozenset[str]], ...] = (
            ("order/oco", lambda call: read_old_oco(call.params, known), 2, OLD_OCO_NAMES),
            ("orderList/oco", lambda call: read_new_oco(call.params, known), 2, OCO_NAMES),
            ("orderList/oto", lambda call: read_oto(call.params, known), 2, OTO_NAMES),
            ("orderList/otoco", lambda call: read_otoco(call.params, known), 3, OTOCO_NAMES),
            (
                "orderList/opo",
                lambda call: read_oto(call.params, known, pays_legs=True),
                2,
                OTO_NAMES,
            ),
            (
                "orderList/opoco",
                lambda call: read_otoco(call.params, known, pays_legs=True),
                3,
                OTOCO_NAMES,
            ),
        )
        rows: Routes = {
            ("POST", f"/api/v3/{path}"): self._placing(read, orders, names)
            for path, read, orders, names in kinds
        }
        cancel_names = frozenset({"symbol", "orderListId", "listClientOrderId", "newClientOrderId"})
        rows["DELETE", "/api/v3/orderList"] = Route(
            self.cancel, signed=True, trades=True, free_on_success=True, names=cancel_names
        )
        for path, handler, weight, names in (
            ("orderList", self.one, 4, frozenset({"orderListId", "origClientOrderId"})),
            ("openOrderList", self.open_ones, 6, frozenset()),
            ("allOrderList", self.all_ones, 20, PAGE_NAMES | {"fromId"}),
        ):
            rows["GET", f"/api/v3/{path}"] = Route(handler, weight=weight, signed=True, names=names)
        return rows

    def _placing(self, read: Read, orders: int, names: frozenset[str]) -> Route:
        def place(call: Call) -> dict[str, Any]:
            request = read(call)
            listed = count_placement(
                self.limits,
                call,
                orders,
                lambda: self.exchange.place_list(self.account_of(call), request),
            )
            reports = [placed_view(self.exchange, one, request.response) for one in listed.orders]
            return {**views.order_list(listed.group, listed.orders), "orderReports": reports}

        return Route(
            place, signed=True, trades=True, free_on_success=True, orders=orders, names=names
        )

    def account_of(self, call: Call) -> Account:
        return self.ledger.accounts[call.account]

    def cancel(self, call: Call) -> dict[str, Any]:
        symbol = symbol_of(call.params, self.exchange.rules)
        list_id, held = list_key(call.params)
        done = self.exchange.cancel_list(
            self.account_of(call),
            symbol,
            list_id,
            held,
            client_id(call.params, "newClientOrderId"),
        )
        return canceled_view(self.exchange, done)

    def _view(self, group: OrderList) -> dict[str, Any]:
        return views.order_list(group, self.ledger.list_members(group))

    def one(self, call: Call) -> dict[str, Any]:
        list_id, held = list_key(call.params, "origClientOrderId")
        group = find_list(self.ledger, self.account_of(call), list_id, held)
        if group is None:
            raise ApiError(-2018, "Order list does not exist.")
        return self._view(group)

    def _lists_of(self, call: Call) -> list[OrderList]:
        return [one for one in self.ledger.lists.values() if one.account == call.account]

    def open_ones(self, call: Call) -> list[dict[str, Any]]:
        return [self._view(one) for one in self._lists_of(call) if one.is_open]

    def all_ones(self, call: Call) -> list[dict[str, Any]]:
        if "fromId" in call.params and {"startTime", "endTime"} & call.params.keys():
            raise ApiError(-1128, "Combination of optional parameters invalid.")
        rows = page(
            self._lists_of(call),
            call,
            time_of=lambda one: one.created_ms,
            from_id=("fromId", lambda one: one.list_id),
        )
        return [self._view(one) for one in rows]
