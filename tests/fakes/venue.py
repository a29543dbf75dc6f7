"""An exchange in memory with faults on demand, held to the same contract as the real adapter.

Its market stands still between `fill` and `trigger`: a test says what happens to what rests.
"""

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal

from core.clock import Clock
from core.errors import TemporaryExchangeError
from execution.domain.fill import Execution, OrderReport, VenueStatus
from execution.domain.order import Side
from execution.domain.outcome import Outcome
from execution.ports import VenueBalance, VenueReply
from markets.domain.filters import Listing
from tests.fakes.clock import HandClock

D = Decimal
FEE = D("0.001")
LOST = VenueReply(outcome=Outcome.UNKNOWN, message="ReadTimeout", evidence={"error": "ReadTimeout"})
RECV_WINDOW = timedelta(seconds=5)


@dataclass
class Fault:
    """What happens to the next matching call.

    Attributes:
        call: submit, submit_oco, submit_otoco, replace, amend, cancel, query, open_orders,
            all_orders, trades, balances.
        kind: lose_reply (done, reply lost), drop (not done, reply lost), refuse, error, or
            hide (reads answer as if nothing was there).
    """

    call: str
    kind: str
    times: int = 1
    http_status: int = 400
    code: int = -2010
    message: str = "Account has insufficient balance for requested action."


@dataclass
class Request:
    """One request that reached the exchange."""

    call: str
    client_order_id: str


@dataclass
class FakeVenue:
    """One account. Market orders fill at once at `prices`, in `slices` parts."""

    clock: Clock
    prices: dict[str, Decimal] = field(default_factory=dict)
    assets: dict[str, tuple[str, str]] = field(default_factory=dict)
    held: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    slices: int = 1
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    before_submit: Callable[[], None] | None = None
    quiet: timedelta = timedelta(0)
    fee: Decimal = FEE
    listings: dict[str, Listing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.orders: dict[int, OrderReport] = {}
        self.executions: list[Execution] = []
        # Of lists whose pair waits for an entry: the entry's number by the list's.
        self.workings: dict[int, int] = {}
        self._ids = itertools.count(1000)
        self._trade_ids = itertools.count(1)
        self._lock = threading.RLock()

    # --- the market ------------------------------------------------------------------------

    def fill(self, order_id: int, quantity: Decimal, price: Decimal | None = None) -> OrderReport:
        """Execute `quantity` of an order, in `slices` trades; return the order after it."""
        with self._lock:
            order = self.orders[order_id]
            base, quote = self.assets[order.symbol]
            price = price or self.prices[order.symbol]
            part = (quantity / self.slices).quantize(D("1e-5"), ROUND_FLOOR)
            parts = [part] * (self.slices - 1)
            new = [
                self._trade(order, size, price, base, quote)
                for size in (*parts, quantity - sum(parts))
            ]
            filled = order.filled_quantity + quantity
            is_full = filled == order.quantity
            after = replace(
                order,
                filled_quantity=filled,
                filled_quote=order.filled_quote + sum(t.quote_quantity for t in new),
                status=VenueStatus.FILLED if is_full else VenueStatus.PARTIALLY_FILLED,
                updated_at=self.clock.now(),
            )
            self.orders[order_id] = after
            if self.workings.get(order.venue_list_id or 0) == order_id:
                if is_full:
                    self._place_pending(order)
            else:
                for sibling in self._siblings(order):
                    self._end(sibling, VenueStatus.EXPIRED)
            return replace(after, executions=tuple(new))

    def _place_pending(self, working: OrderReport) -> None:
        """Bring the pair of a filled entry to life, or refuse it."""
        legs = self._siblings(working)
        base, _ = self.assets[working.symbol]
        is_covered = self._free(base) >= legs[0].quantity
        for leg in legs:
            status = VenueStatus.NEW if is_covered else VenueStatus.EXPIRED
            self._end(leg, status)

    def _siblings(self, order: OrderReport) -> list[OrderReport]:
        """Return what else is open of the order's list."""
        return [
            other
            for other in self._open(also_pending=True)
            if order.venue_list_id
            and other.venue_list_id == order.venue_list_id
            and other.venue_order_id != order.venue_order_id
        ]

    def trigger(self, name_part: str, symbol: str) -> OrderReport:
        """Fill the open leg of a pair whose type is `name_part` at its own price."""
        order = next(o for o in self._open() if o.symbol == symbol and o.type == name_part)
        price = order.price or order.stop_price or self.prices[symbol]
        return self.fill(order.venue_order_id, order.quantity, price)

    def _trade(
        self, order: OrderReport, quantity: Decimal, price: Decimal, base: str, quote: str
    ) -> Execution:
        cost = quantity * price
        is_buy = order.side is Side.BUY
        fee = ((quantity if is_buy else cost) * self.fee).quantize(D("1e-8"))
        self.held[base] += quantity - fee if is_buy else -quantity
        self.held[quote] += -cost if is_buy else cost - fee
        execution = Execution(
            symbol=order.symbol,
            trade_id=next(self._trade_ids),
            venue_order_id=order.venue_order_id,
            side=order.side,
            price=price,
            quantity=quantity,
            quote_quantity=cost,
            fee=fee,
            fee_asset=base if is_buy else quote,
            is_maker=False,
            executed_at=self.clock.now(),
        )
        self.executions.append(execution)
        return execution

    def place_foreign(self, symbol: str, side: Side, quantity: Decimal) -> OrderReport:
        """Trade past the system, as the account's owner can."""
        order = self._new(
            symbol=symbol, name="web_1", side=side, kind="MARKET", quantity=quantity, price=None
        )
        return self.fill(order.venue_order_id, quantity)

    # --- reads -----------------------------------------------------------------------------

    def query(self, symbol: str, client_order_id: str) -> OrderReport | None:
        if self._read("query"):
            return None
        own = [o for o in self.orders.values() if o.client_order_id == client_order_id]
        return own[-1] if own else None

    def open_orders(self, symbol: str | None = None) -> tuple[OrderReport, ...]:
        if self._read("open_orders"):
            return ()
        return tuple(o for o in self._open(also_pending=True) if symbol in (None, o.symbol))

    def all_orders(self, symbol: str, *, since: datetime) -> tuple[OrderReport, ...]:
        if self._read("all_orders"):
            return ()
        return tuple(o for o in self.orders.values() if o.symbol == symbol)

    def trades(
        self,
        symbol: str,
        *,
        since: datetime | None = None,
        venue_order_id: int | None = None,
        from_id: int | None = None,
    ) -> tuple[Execution, ...]:
        if self._read("trades"):
            return ()
        return tuple(
            item
            for item in self.executions
            if item.symbol == symbol
            and (since is None or item.executed_at >= since)
            and (venue_order_id is None or item.venue_order_id == venue_order_id)
            and (from_id is None or item.trade_id >= from_id)
        )

    def balances(self) -> tuple[VenueBalance, ...]:
        self._read("balances")
        with self._lock:
            return tuple(
                VenueBalance(asset=asset, free=self._free(asset), locked=total - self._free(asset))
                for asset, total in sorted(self.held.items())
                if total
            )

    def listing(self, symbol: str) -> Listing:
        self._read("listing")
        return self.listings[symbol]

    def quiet_for(self) -> timedelta:
        return self.quiet

    def server_time(self) -> datetime:
        return self.clock.exact() if isinstance(self.clock, HandClock) else self.clock.now()

    # --- inside ----------------------------------------------------------------------------

    def _read(self, call: str) -> bool:
        """Return whether the answer is to be hidden."""
        fault = self._fault(call)
        if fault is not None and fault.kind == "error":
            raise TemporaryExchangeError("no answer", call=call)
        return fault is not None and fault.kind == "hide"

    def _fault(self, call: str) -> Fault | None:
        for fault in self.faults:
            if fault.call == call and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def _open(self, *, also_pending: bool = False) -> list[OrderReport]:
        live = [VenueStatus.NEW, VenueStatus.PARTIALLY_FILLED]
        live += [VenueStatus.PENDING_NEW] if also_pending else []
        return [order for order in self.orders.values() if order.status in live]

    def _free(self, asset: str) -> Decimal:
        locked = D(0)
        lists = set()
        for order in self._open():
            base, quote = self.assets[order.symbol]
            is_entry = self.workings.get(order.venue_list_id or 0) == order.venue_order_id
            if order.venue_list_id and not is_entry:
                if order.venue_list_id in lists:
                    continue
                lists.add(order.venue_list_id)
            left = order.quantity - order.filled_quantity
            if order.side is Side.SELL and base == asset:
                locked += left
            if order.side is Side.BUY and quote == asset:
                locked += left * max(order.price or D(0), order.stop_price or D(0))
        return self.held[asset] - locked

    def _new(
        self,
        *,
        symbol: str,
        name: str,
        side: Side,
        kind: str,
        quantity: Decimal,
        price: Decimal | None,
        stop_price: Decimal | None = None,
        list_id: int | None = None,
        status: VenueStatus = VenueStatus.NEW,
    ) -> OrderReport:
        order = OrderReport(
            symbol=symbol,
            client_order_id=name,
            venue_order_id=next(self._ids),
            venue_list_id=list_id,
            side=side,
            type=kind,
            status=status,
            quantity=quantity,
            price=price,
            stop_price=stop_price,
            updated_at=self.clock.now(),
        )
        self.orders[order.venue_order_id] = order
        return order

    def _end(self, order: OrderReport, status: VenueStatus) -> OrderReport:
        after = replace(order, status=status, updated_at=self.clock.now())
        self.orders[order.venue_order_id] = after
        return after

    @staticmethod
    def _accepted(reports: list[OrderReport], list_id: int | None = None) -> VenueReply:
        return VenueReply(outcome=Outcome.ACCEPTED, reports=tuple(reports), venue_list_id=list_id)
