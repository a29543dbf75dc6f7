"""Candle close to last order accepted, through the real chain; floor and empty chains in turns."""

import time
from contextlib import ExitStack
from pathlib import Path

from bench import desk as desks
from bench import servers, system
from bench.beside_training import close_while_training
from bench.closing import close_or_again
from bench.counting import count_close
from bench.desk import SIZES, Desk
from bench.desk_start import running_desk
from bench.floor import Floor, running_floor
from bench.sample import median, percentile

# As many rounds as fit into the time, the first of each half left out: a busy machine does fewer.
_MOST_ROUNDS = 16
_FEWEST_ROUNDS = 6
_BUDGET_S = 120.0
_EMPTY_500_ROUNDS = 3
_HISTORY_SIZE = 100
_HISTORY_BARS = 10_000
_GATE_CALLS = 200


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
        figures = {**rounds.summary(), **_gate(desk), **close_while_training(desk, folder)}
        desk.close_all()
        return {name: round(value, 3) for name, value in (figures | count_close(desk)).items()}


class _Rounds:
    """Rounds of all sizes, and what they took in ms; floor and empty chains in the same rounds."""

    def __init__(self, desk: Desk, floor: Floor) -> None:
        self._desk = desk
        self._floor = floor
        self.accepted: dict[int, list[float]] = {size: [] for size in SIZES}
        self.booked: dict[int, list[float]] = {size: [] for size in SIZES}
        self.floor: dict[int, list[float]] = {size: [] for size in SIZES}
        self.empty: dict[int, list[float]] = {size: [] for size in SIZES if size > 1}
        self.from_decision: list[float] = []
        self.from_intent: list[float] = []
        # Rounds before the million older candles.
        self.young = 0

    def run(self) -> None:
        """Run half of the rounds, store a million older candles, and run the other half."""
        self._desk.fill_gap()
        self._run_half()
        self.young = len(self.accepted[1])
        self._desk.close_all()
        begun = time.monotonic()
        _store_old_candles(self._desk)
        system.say(f"a million older candles: {time.monotonic() - begun:.1f} s")
        self._run_half()

    def _run_half(self) -> None:
        deadline = time.monotonic() + _BUDGET_S / 2
        for number in range(1 + _MOST_ROUNDS // 2):
            if number:
                # The very last round's positions stay: the gate is measured with them.
                self._desk.close_all()
            self._run_one(is_warm=number > 0)
            if number >= _FEWEST_ROUNDS // 2 and time.monotonic() > deadline:
                return

    def _run_one(self, *, is_warm: bool) -> None:
        for size in SIZES:
            close = close_or_again(self._desk, size)
            floor = self._floor.close_ms(size)
            if is_warm:
                self.accepted[size].append(close.accepted)
                self.booked[size].append(close.booked)
                self.floor[size].append(floor)
                if size == 1:
                    self.from_decision += close.decision_to_wire
                    self.from_intent += close.intent_to_wire
        for size, found in self.empty.items():
            if is_warm and (size < max(SIZES) or len(found) < _EMPTY_500_ROUNDS):
                found.append(self._floor.empty_chains_ms(size))
        if is_warm:
            self._tell()

    def summary(self) -> dict[str, float]:
        figures: dict[str, float] = {
            "tick_rounds": len(self.accepted[1]),
            "tick_history_1m_over_1k_ratio": self._history_ratio(),
            "decision_to_wire_median_ms": median(self.from_decision),
            "intent_to_wire_median_ms": median(self.from_intent),
        }
        for size in SIZES:
            figures[f"tick_to_order_{size}_median_ms"] = median(self.accepted[size])
            figures[f"tick_to_order_{size}_p95_ms"] = percentile(self.accepted[size], 95)
            figures[f"tick_to_booked_{size}_p95_ms"] = percentile(self.booked[size], 95)
            figures[f"tick_floor_{size}_median_ms"] = median(self.floor[size])
            figures[f"tick_floor_{size}_p95_ms"] = percentile(self.floor[size], 95)
        for size, found in self.empty.items():
            figures[f"empty_chain_{size}_ms"] = median(found)
        figures["tick_symbols_per_s_500"] = 500_000 / median(self.accepted[500])
        return figures

    def _history_ratio(self) -> float:
        """Return how much slower a close is with a million older candles, by the floor beside it.

        The floor has none of them: it tells how fast the machine was meanwhile.
        """
        pairs = zip(self.accepted[_HISTORY_SIZE], self.floor[_HISTORY_SIZE], strict=True)
        ratios = [accepted / floor for accepted, floor in pairs]
        return median(ratios[self.young :]) / median(ratios[: self.young])

    def _tell(self) -> None:
        parts = [
            f"{size}: {self.accepted[size][-1]:.0f} ms ({self.floor[size][-1]:.0f})"
            for size in SIZES
        ]
        number = len(self.accepted[1])
        system.say(f"round {number}, symbols: real (floor)  {'  '.join(parts)}")


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
        cursor.execute("VACUUM ANALYZE candles")


def _gate(desk: Desk) -> dict[str, float]:
    """Time the gate on one proposal with all positions open: lock, portfolio, checks, verdict."""
    from django.db import transaction

    from core.clock import get_clock
    from execution.models import Decision
    from execution.services.portfolio import build_portfolio
    from execution.services.proposals import propose, wish_to_enter
    from markets.selectors import list_marks, list_rules
    from risk.selectors import read_limits
    from risk.services.gate import assess
    from risk.services.trading_state import lock_account

    clock = get_clock()
    decision = Decision.objects.filter(action="ENTER").select_related("strategy__account").last()
    if decision is None:
        raise RuntimeError("nothing was decided")
    key = decision.instrument_id
    rules, limits = list_rules([key]), read_limits().limits
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
                limits=read_limits(),
                now=now,
            )
            times.append((time.perf_counter() - begun) * 1000)
            transaction.set_rollback(True)
    return {"gate_p99_ms": percentile(times, 99), "gate_median_ms": median(times)}
