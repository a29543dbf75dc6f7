"""How long it takes until orders are known, stopped, protected: real processes on PostgreSQL."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from bench import servers, system
from bench.floor_of_orders import ACTOR, SYMBOLS, OrderFloor, order_floor, wait_for
from bench.parts import measure_parts
from bench.sample import median, percentile

_LOST_REPLIES = 20
_MISSED_FILLS = 4
_PARTS = 10
_DENIALS = 25
_SWEEPS = 4
_RESTING = 50
_QUEUED = 10_000
_BURNERS = 2


def measure(folder: Path) -> dict[str, float]:
    """Measure on PostgreSQL; nothing is measured where none is installed."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(servers.postgres(folder))
        if database is None:
            system.say("no PostgreSQL programs on this machine: not measured")
            return {}
        redis = stack.enter_context(_full_broker(folder))
        floor = stack.enter_context(order_floor(folder, database_url=database, redis_url=redis))
        figures = _protected(floor)
        with floor.guarded("--interval", "0.25"):
            figures |= _protected_in_parts(floor)
            figures |= _found(floor) | _missed_fills(floor) | _denied(floor) | _swept(floor)
        figures |= _ready(floor)
    return {name: round(value, 3) for name, value in figures.items()}


@contextlib.contextmanager
def _full_broker(folder: Path) -> Iterator[str]:
    """Queue tasks, then take the broker away: its address stays, and nobody answers there."""
    import redis

    with servers.broker(folder) as url, redis.Redis.from_url(url) as client:
        client.rpush("orders", *[f'{{"n": {number}}}' for number in range(_QUEUED)])
        system.say(f"{client.llen('orders'):,} messages queued, and the broker is ended")
    yield url


def _protected(floor: OrderFloor) -> dict[str, float]:
    """Return how long positions are bare: from the first fill to the pair that rests."""
    from execution.models import Fill, Order, SubmitAttempt

    times = []
    for symbol in SYMBOLS:
        entry = floor.enter(symbol)
        first = Fill.objects.filter(order=entry).order_by("pk").first()
        pair = Order.objects.filter(leg="PROTECT", position=entry.position_id)
        attempt = SubmitAttempt.objects.filter(order__in=pair, kind="SUBMIT").latest("pk")
        times.append((attempt.finished_at - first.timestamp).total_seconds())
    system.say(f"{len(times)} entries protected")
    return {"unprotected_p99_s": percentile(times, 99), "unprotected_median_s": median(times)}


def _protected_in_parts(floor: OrderFloor) -> dict[str, float]:
    """Return the same of entries that fill in parts, as stream and guardian hear of them."""
    with floor.running("stream_user_data") as stream:
        stream.wait(lambda: "connected" in stream.log.read_text(errors="replace"))
        bare = measure_parts(floor, rounds=_PARTS)
    system.say(f"{len(bare.first)} entries filled in parts, each part protected")
    return {
        "unprotected_partial_p99_s": percentile(bare.first, 99),
        "unprotected_partial_median_s": median(bare.first),
        "unprotected_added_p99_s": percentile(bare.added, 99),
        "unprotected_added_median_s": median(bare.added),
    }


def _found(floor: OrderFloor) -> dict[str, float]:
    """Return how long an order whose reply was lost stays unknown: the exchange answers at once."""
    from execution.models import Order

    times = []
    for number in range(_LOST_REPLIES):
        rule = {"match": {"method": "POST", "path": "/api/v3/order"}, "times": 1}
        floor.call("POST", "/_sim/faults", [{**rule, "fault": "accept_then_drop_reply"}])
        order = floor.rest(SYMBOLS[number % len(SYMBOLS)])
        begun = time.monotonic()
        if order.state != "UNKNOWN":
            raise RuntimeError(f"the reply was to be lost, the order is {order.state}")
        row = Order.objects.filter(pk=order.pk, state="NEW")
        wait_for(row.exists, "order found")
        times.append(time.monotonic() - begun)
    floor.call("DELETE", "/_sim/faults")
    system.say(f"{len(times)} lost replies found")
    return {"unknown_resolved_p99_s": percentile(times, 99)}


def _missed_fills(floor: OrderFloor) -> dict[str, float]:
    """Return the longest time from a fill, made while the stream was cut, to its booking."""
    from execution.models import Order

    times = []
    with floor.running("stream_user_data") as stream:
        stream.wait(lambda: "connected" in stream.log.read_text(errors="replace"))
        for symbol in SYMBOLS[:_MISSED_FILLS]:
            order = floor.rest(symbol, share="0.999")
            floor.call("POST", "/_sim/faults", [{"fault": "cut_streams"}])
            price = floor.price(symbol)
            fallen = (price * Decimal("0.995")).quantize(price)
            floor.call("POST", "/_sim/price", {"symbol": symbol, "price": str(fallen)})
            begun = time.monotonic()
            wait_for(Order.objects.filter(pk=order.pk, state="FILLED").exists, "missed fill")
            times.append(time.monotonic() - begun)
    system.say(f"{len(times)} fills missed by the stream booked")
    return {"missed_fill_booked_max_s": max(times)}


def _denied(floor: OrderFloor) -> dict[str, float]:
    """Return how long after a kill somebody who submits without a pause is first refused.

    From before the kill's own transaction, so that this is more than the time from its commit.
    """
    from core.clock import get_clock
    from risk.domain.trading_state import Level
    from risk.services.trading_state import raise_level

    submitter = _Submitter(floor)
    times = []
    for _ in range(_DENIALS):
        submitter.go()
        begun = time.perf_counter()
        raise_level(level=Level.HALT, reason="bench", actor=ACTOR, now=get_clock().now())
        times.append(max(0.0, submitter.denied_at() - begun) * 1000)
        floor.rearm()
    submitter.end()
    system.say(f"{len(times)} kills denied")
    return {"kill_to_deny_p99_ms": percentile(times, 99), "kill_to_deny_median_ms": median(times)}


class _Submitter:
    """A thread with a connection of its own that asks for orders until one is refused."""

    def __init__(self, floor: OrderFloor) -> None:
        self._floor = floor
        self._go, self._sent, self._done = threading.Event(), threading.Event(), threading.Event()
        self._denied_at = 0.0
        self._ends = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def go(self) -> None:
        """Begin, and return once an order was let through."""
        self._sent.clear()
        self._done.clear()
        self._go.set()
        self._sent.wait(60)

    def denied_at(self) -> float:
        """Wait for the refusal; return when it was."""
        if not self._done.wait(60):
            raise RuntimeError("nobody was refused after a kill")
        return self._denied_at

    def end(self) -> None:
        self._ends = True
        self._go.set()
        self._thread.join(60)

    def _work(self) -> None:
        from django.db import connections

        from core.errors import Denied
        from execution.adapters.factory import get_broker
        from execution.services.claims import claim_orders  # noqa: F401 - imported ahead

        broker = get_broker()
        floor = OrderFloor(
            account_id=self._floor.account_id,
            url=self._floor.url,
            folder=self._floor.folder,
            environment=self._floor.environment,
            broker=broker,
        )
        while True:
            self._go.wait()
            self._go.clear()
            if self._ends:
                break
            with contextlib.suppress(Denied):
                while True:
                    floor.rest(SYMBOLS[0], share="0.982")
                    self._sent.set()
            self._denied_at = time.perf_counter()
            self._done.set()
        connections.close_all()


def _swept(floor: OrderFloor) -> dict[str, float]:
    """Return how long until the exchange shows none of 50 orders, both cores busy meanwhile."""
    from core.clock import get_clock
    from core.models import AuditRecord
    from risk.domain.trading_state import Level
    from risk.services.trading_state import raise_level

    times = []
    _sweep_away(floor)
    for _ in range(_SWEEPS):
        for number in range(_RESTING):
            floor.rest(SYMBOLS[number % len(SYMBOLS)])
        seen = AuditRecord.objects.filter(action="kill.confirmed").count()
        with _busy_cores():
            raise_level(level=Level.CANCEL, reason="bench", actor=ACTOR, now=get_clock().now())
            rows = AuditRecord.objects.filter(action="kill.confirmed").order_by("-sequence")
            wait_for(lambda: rows.count() > seen, "confirmed kill")  # noqa: B023
        times.append(float(rows[0].after["wall_seconds"]))
        floor.rearm()
    system.say(f"{len(times)} kills of {_RESTING} orders confirmed: {times}")
    return {"kill_cancel50_p99_s": percentile(times, 99), "kill_cancel50_median_s": median(times)}


def _sweep_away(floor: OrderFloor) -> None:
    """Cancel what the measurements before have left."""
    from core.clock import get_clock
    from execution.models import Order
    from execution.services.cancels import cancel_orders

    left = list(Order.objects.filter(leg="MANUAL", state="NEW"))
    cancel_orders(orders=left, broker=floor.broker, clock=get_clock())


@contextlib.contextmanager
def _busy_cores() -> Iterator[None]:
    command = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(command) for _ in range(_BURNERS)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def _ready(floor: OrderFloor) -> dict[str, float]:
    """Return how long a start takes with 50 open orders, from the program to READY."""
    for number in range(_RESTING):
        floor.rest(SYMBOLS[number % len(SYMBOLS)])
    with floor.guarded() as seconds:
        return {"ready_50_orders_s": seconds}
