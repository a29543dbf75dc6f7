"""Candle close to last order accepted, through the real chain; floor and empty chains in turns."""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import desk as desks
from bench import servers, system
from bench.counting import count_close
from bench.desk import SIZES, Desk, running_desk
from bench.floor import Floor, running_floor
from bench.sample import median, percentile

_WARM_ROUNDS = 2
_ROUNDS = 15
_EMPTY_500_ROUNDS = 3
_HISTORY_SIZE = 100
_HISTORY_ROUNDS = 10
_HISTORY_BARS = 10_000
_GATE_CALLS = 200
_LIMIT_S = 30.0


def measure(folder: Path) -> dict[str, float]:
    """Measure on PostgreSQL; nothing is measured where none is installed."""
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgres(folder))
        if database is None:
            system.say("no PostgreSQL programs on this machine: not measured")
            return {}
        desk = stack.enter_context(running_desk(folder, database_url=database))
        floor = stack.enter_context(running_floor(folder, database_url=database))
        rounds = _Rounds(desk, floor)
        rounds.run()
        figures = {**rounds.summary(), **_gate(desk)}
        desk.close_all()
        figures["tick_history_1m_over_1k_ratio"] = rounds.history_ratio()
        desk.close_all()
        return {name: round(value, 3) for name, value in (figures | count_close(desk)).items()}


class _Rounds:
    """Rounds of all sizes, and what they took in ms."""

    def __init__(self, desk: Desk, floor: Floor) -> None:
        self._desk = desk
        self._floor = floor
        self.accepted: dict[int, list[float]] = {size: [] for size in SIZES}
        self.booked: dict[int, list[float]] = {size: [] for size in SIZES}
        self.floor: dict[int, list[float]] = {size: [] for size in SIZES}
        self.empty: dict[int, list[float]] = {size: [] for size in SIZES if size > 1}
        self.to_wire: list[float] = []

    def run(self) -> None:
        """Run all rounds; positions are closed and chains emptied outside of the timing."""
        self._desk.fill_gap()
        for number in range(-_WARM_ROUNDS, _ROUNDS):
            for size in SIZES:
                accepted, booked, to_wire = close_once(self._desk, size)
                floor = self._floor.close_ms(size)
                if number >= 0:
                    self.accepted[size].append(accepted)
                    self.booked[size].append(booked)
                    self.floor[size].append(floor)
                    if size == 1:
                        self.to_wire += to_wire
            for size, found in self.empty.items():
                if number >= 0 and (size < max(SIZES) or number < _EMPTY_500_ROUNDS):
                    found.append(self._floor.empty_chains_ms(size))
            # The last round's positions stay: the gate is measured with them.
            if number < _ROUNDS - 1:
                self._desk.close_all()
            self._tell(number)

    def history_ratio(self) -> float:
        """Return how much slower the chain is with 10,000 more candles a symbol."""
        few = self._history_rounds()
        begun = time.monotonic()
        _store_old_candles(self._desk)
        system.say(f"a million older candles: {time.monotonic() - begun:.1f} s")
        many = self._history_rounds()
        return median(many) / median(few)

    def summary(self) -> dict[str, float]:
        figures: dict[str, float] = {"intent_to_wire_median_ms": median(self.to_wire)}
        for size in SIZES:
            figures[f"tick_to_order_{size}_median_ms"] = median(self.accepted[size])
            figures[f"tick_to_order_{size}_p95_ms"] = percentile(self.accepted[size], 95)
            figures[f"tick_to_booked_{size}_p95_ms"] = percentile(self.booked[size], 95)
            figures[f"tick_floor_{size}_p95_ms"] = percentile(self.floor[size], 95)
        for size, found in self.empty.items():
            figures[f"empty_chain_{size}_ms"] = median(found)
        return figures

    def _history_rounds(self) -> list[float]:
        close_once(self._desk, _HISTORY_SIZE)
        self._desk.close_all()
        times = []
        for _ in range(_HISTORY_ROUNDS):
            times.append(close_once(self._desk, _HISTORY_SIZE)[0])
            self._desk.close_all()
        return times

    def _tell(self, number: int) -> None:
        if number >= 0:
            parts = [
                f"{size}: {self.accepted[size][-1]:.0f} ms ({self.floor[size][-1]:.0f})"
                for size in SIZES
            ]
            system.say(f"round {number + 1}/{_ROUNDS}, symbols: real (floor)  {'  '.join(parts)}")


def close_once(desk: Desk, size: int) -> tuple[float, float, list[float]]:
    """Close one candle for `size` symbols.

    Returns:
        Milliseconds until the exchange had accepted the last order (its own time of the request),
        until all orders' outcomes were booked, and from each decision to its order's request.
    """
    from tradingsite.pipeline import start_chain

    close_ms, rows = desk.next_rows(size)
    started = time.time()
    start_chain(timeframe=desks.TIMEFRAME, close_time_ms=close_ms, rows=rows)
    orders = _wait_for_orders(desk, size, close_ms)
    received = {
        entry["client_order_id"]: desk.wall_s_of_ms(entry["time"])
        for entry in desk.ledger(8 * len(orders) + 20)["requests"]
        if entry["method"] == "POST"
    }
    accepted = max(received[order["client_order_id"]] for order in orders) - started
    booked = max(desk.wall_s(order["attempts__finished_at"]) for order in orders) - started
    to_wire = [
        1000 * (received[order["client_order_id"]] - desk.wall_s(order["decision__created_at"]))
        for order in orders
    ]
    return accepted * 1000, booked * 1000, to_wire


def _wait_for_orders(desk: Desk, size: int, close_ms: int) -> list[dict[str, Any]]:
    """Wait until the close's entries are booked and protected; return them."""
    from core.clock import from_ms
    from execution.models import Order

    expected = desk.entering_in(size)
    entries = Order.objects.filter(
        leg="ENTRY", instrument_id__in=expected, decision__close_time=from_ms(close_ms)
    )
    protections = Order.objects.filter(leg="PROTECT", instrument_id__in=expected, state="NEW")
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        time.sleep(0.01)
        filled = entries.filter(state="FILLED", attempts__finished_at__isnull=False)
        if filled.count() == len(expected) and protections.count() == len(expected):
            return list(
                filled.values("client_order_id", "decision__created_at", "attempts__finished_at")
            )
    raise RuntimeError(
        f"{size} symbols: {_why_not(desk, size, close_ms)}; "
        f"{protections.count()} of {len(expected)} protected"
    )


def _why_not(desk: Desk, size: int, close_ms: int) -> str:
    from collections import Counter

    from core.clock import from_ms
    from execution.models import Decision, Order

    made = Decision.objects.filter(
        close_time=from_ms(close_ms), instrument_id__in=desk.entering_in(size)
    )
    orders = Order.objects.filter(decision__in=made)
    decided = Counter(made.values_list("action", "reason"))
    return f"{dict(decided)} {dict(Counter(orders.values_list('state', 'reason')))}"


def _store_old_candles(desk: Desk) -> None:
    """Put 10,000 candles before the oldest of each symbol of the subset."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO candles (instrument_id, timeframe, open_time, open, high, low, close,"
            " volume, quote_volume, trade_count, taker_buy_base, taker_buy_quote)"
            " SELECT first.instrument_id, %s, first.open_time - n * interval '1 minute',"
            " 100, 101, 99, 100, 5, 500, 3, 2, 200 FROM generate_series(1, %s) n,"
            " (SELECT instrument_id, min(open_time) AS open_time FROM candles"
            " WHERE instrument_id = ANY(%s) AND timeframe = %s GROUP BY 1) first",
            [
                desks.TIMEFRAME,
                _HISTORY_BARS,
                list(desk.subsets[_HISTORY_SIZE]),
                desks.TIMEFRAME,
            ],
        )


def _gate(desk: Desk) -> dict[str, float]:
    """Time the gate on one proposal with all positions open: lock, portfolio, checks, verdict."""
    from django.db import transaction

    from core.clock import get_clock
    from execution.models import Decision
    from execution.selectors import build_portfolio
    from execution.services.proposals import propose, wish_to_enter
    from markets.selectors import list_marks, list_rules
    from risk.selectors import get_limits
    from risk.services.gate import assess
    from risk.services.trading_state import lock_account

    clock = get_clock()
    decision = Decision.objects.filter(action="ENTER").select_related("strategy__account").last()
    if decision is None:
        raise RuntimeError("nothing was decided")
    key = decision.instrument_id
    rules, limits = list_rules([key]), get_limits()
    times = []
    for _ in range(_GATE_CALLS):
        now = clock.now()
        wish = wish_to_enter(decision, rules=rules[key], now=now, clock=clock)
        proposal = propose(
            wish,
            rules=rules[key],
            limits=limits,
            mark=list_marks([key]).get(key),
            decision=decision,
        )
        with transaction.atomic():
            begun = time.perf_counter()
            lock_account(desk.account_id)
            assess(
                account_id=desk.account_id,
                proposals=[proposal],
                portfolio=build_portfolio(account_id=desk.account_id, now=now),
                rules=rules,
                now=now,
            )
            times.append((time.perf_counter() - begun) * 1000)
            transaction.set_rollback(True)
    return {"gate_p99_ms": percentile(times, 99), "gate_median_ms": median(times)}
