"""An exchange in memory with faults on demand, held to the same contract as the real adapter.

Its market stands still between `fill` and `trigger`: a test says what happens to what rests.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from execution.domain.fill import OrderReport, VenueStatus
from execution.domain.order import Side, TimeInForce
from execution.domain.outcome import Outcome
from execution.domain.request import (
    AmendRequest,
    CancelRequest,
    ListRequest,
    OcoRequest,
    OrderRequest,
    OtocoRequest,
    ReplaceRequest,
    digest,
)
from execution.ports import VenueReply
from tests.fakes.broker_rules import refuse, takes, wrong_side
from tests.fakes.venue import LOST, FakeVenue, Fault, Request

__all__ = ["FakeBroker", "Fault", "Request"]

RECV_WINDOW = timedelta(seconds=5)


class FakeBroker(FakeVenue):
    """One account at the exchange in memory: what may be asked of it."""

    # --- writes ----------------------------------------------------------------------------

    def submit(
        self, request: OrderRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        assert digest(request.parameters()) == request_sha256
        if self.before_submit is not None:
            self.before_submit()
        return self._write(
            "submit", request.client_order_id, signed_at, lambda: self._place(request)
        )

    def submit_list(
        self, request: ListRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        assert digest(request.parameters()) == request_sha256
        name = request.list_client_order_id
        if isinstance(request, OtocoRequest):
            return self._write(
                "submit_otoco", name, signed_at, lambda: self._place_bracket(request)
            )
        return self._write("submit_oco", name, signed_at, lambda: self._place_pair(request))

    def cancel(
        self, request: CancelRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        assert digest(request.parameters()) == request_sha256
        return self._write(
            "cancel", request.client_order_id, signed_at, lambda: self._cancel(request)
        )

    def replace(
        self, request: ReplaceRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        assert digest(request.parameters()) == request_sha256
        reply = self._write(
            "replace", request.order.client_order_id, signed_at, lambda: self._replace(request)
        )
        return replace(reply, cancel=reply.cancel or reply)

    def amend(
        self, request: AmendRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        assert digest(request.parameters()) == request_sha256
        return self._write(
            "amend", request.client_order_id, signed_at, lambda: self._amend(request)
        )

    def cancel_all(self, symbol: str) -> VenueReply:
        with self._lock:
            open_now = [o for o in self._open(also_pending=True) if o.symbol == symbol]
            return self._accepted([self._end(order, VenueStatus.CANCELED) for order in open_now])

    def _write(
        self, call: str, name: str, signed_at: datetime, act: Callable[[], VenueReply]
    ) -> VenueReply:
        with self._lock:
            self.requests.append(Request(call, name))
            fault = self._fault(call)
            if fault is not None and fault.kind == "drop":
                return LOST
            if fault is not None and fault.kind == "refuse":
                return refuse(fault.http_status, fault.code, fault.message)
            age = self.server_time() - signed_at
            if age > self.clock.protocol(RECV_WINDOW) or age < -timedelta(seconds=1):
                return refuse(400, -1021, "Timestamp for this request is outside of recvWindow.")
            reply = act()
            return LOST if fault is not None and fault.kind == "lose_reply" else reply

    def _place(self, request: OrderRequest, list_id: int | None = None) -> VenueReply:
        if any(order.client_order_id == request.client_order_id for order in self._open()):
            return refuse(400, -2010, "Duplicate order sent.")
        base, quote = self.assets[request.symbol]
        price = self.prices[request.symbol]
        if request.side is Side.BUY:
            needed, asset = request.quantity * (request.price or request.stop_price or price), quote
        else:
            needed, asset = request.quantity, base
        if self._free(asset) < needed:
            return refuse(400, -2010, "Account has insufficient balance for requested action.")
        refusal = wrong_side(request, price)
        if refusal is not None:
            return refusal
        order = self._new(
            symbol=request.symbol,
            name=request.client_order_id,
            side=request.side,
            kind=request.type.value,
            quantity=request.quantity,
            price=request.price,
            stop_price=request.stop_price,
            list_id=list_id,
        )
        if takes(request, price):
            return self._accepted([self.fill(order.venue_order_id, request.quantity)])
        if request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
            return self._accepted([self._end(order, VenueStatus.EXPIRED)])
        return self._accepted([order])

    def _place_pair(self, request: OcoRequest) -> VenueReply:
        price = self.prices[request.symbol]
        sign = 1 if request.side is Side.SELL else -1
        target, stop = request.take_profit.trigger_price, request.stop.trigger_price
        if target is None or (target - price) * sign <= 0 or (stop and (price - stop) * sign <= 0):
            return refuse(400, -2010, "The relationship of the prices is not correct.")
        base, quote = self.assets[request.symbol]
        dearest = max(item for item in (target, stop, request.stop.price) if item is not None)
        is_sale = request.side is Side.SELL
        needed = request.quantity if is_sale else request.quantity * dearest
        if self._free(base if is_sale else quote) < needed:
            return refuse(400, -2010, "Account has insufficient balance for requested action.")
        list_id = next(self._ids)
        self._list_names[list_id] = request.list_client_order_id
        return self._accepted(self._new_legs(request, list_id), list_id=list_id)

    def _new_legs(
        self, request: OcoRequest, list_id: int, status: VenueStatus = VenueStatus.NEW
    ) -> list[OrderReport]:
        return [
            self._new(
                symbol=request.symbol,
                name=terms.client_order_id,
                side=request.side,
                kind=terms.type.value,
                quantity=request.quantity,
                price=terms.price,
                stop_price=terms.stop_price,
                list_id=list_id,
                status=status,
            )
            for terms in (request.take_profit, request.stop)
        ]

    def _place_bracket(self, request: OtocoRequest) -> VenueReply:
        """Take an entry; its pair waits, also while the reply tells that it is filled already."""
        list_id = next(self._ids)
        reply = self._place(request.working, list_id)
        if reply.outcome is not Outcome.ACCEPTED:
            return reply
        (entry,) = reply.reports
        self.workings[list_id] = entry.venue_order_id
        self._list_names[list_id] = request.list_client_order_id
        legs = self._new_legs(request.pending, list_id, VenueStatus.PENDING_NEW)
        if entry.status is VenueStatus.FILLED:
            self._place_pending(entry)
        return self._accepted([entry, *legs], list_id=list_id)

    @property
    def _list_names(self) -> dict[int, str]:
        return self.__dict__.setdefault("list_names", {})

    def _cancel(self, request: CancelRequest) -> VenueReply:
        found = [
            order
            for order in self._open(also_pending=True)
            if request.client_order_id
            in (order.client_order_id, self._list_names.get(order.venue_list_id or 0))
        ]
        if not found:
            return refuse(400, -2011, "Unknown order sent.")
        if len(found) == 1:
            found += self._siblings(found[0])
        return self._accepted([self._end(order, VenueStatus.CANCELED) for order in found])

    def _replace(self, request: ReplaceRequest) -> VenueReply:
        name = request.canceled_client_order_id
        old = next((o for o in self._open() if o.client_order_id == name), None)
        is_fit = old is not None and old.status.value == request.restriction.value[5:]
        if old is None or not is_fit:
            cancel = refuse(400, -2011, "Unknown order sent.")
            return replace(refuse(400, -2022, "Order cancel-replace failed."), cancel=cancel)
        canceled = self._accepted([self._end(old, VenueStatus.CANCELED)])
        return replace(self._place(request.order), cancel=canceled)

    def _amend(self, request: AmendRequest) -> VenueReply:
        order = next(
            (o for o in self._open() if o.client_order_id == request.client_order_id), None
        )
        if order is None:
            return refuse(400, -2013, "Order does not exist.")
        if not order.filled_quantity < request.quantity < order.quantity:
            return refuse(400, -2038, "Order amend (quantity increase) is not supported.")
        after = replace(order, quantity=request.quantity, updated_at=self.clock.now())
        self.orders[order.venue_order_id] = after
        return self._accepted([after])
