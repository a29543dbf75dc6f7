"""Fault schedules in one process: the real services beside the real exchange engine, by hand.

A schedule is made of its seed alone. Orders are placed while two or three faults are in force:
replies are lost, processes die at named places, the database fails, events come twice or never,
clocks step, filters change, the market moves, somebody raises the kill switch; and between any two
requests something else may happen. Then the faults end, a fresh guardian works, and the world must
come to rest with nothing doubled and nothing lost.
"""

import contextlib
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction

from core.errors import Denied, TradingError
from execution.adapters.binance_reports import execution_report
from execution.domain.decision import Action
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Fill, Order
from execution.services.cancels import cancel_orders
from execution.services.completing import record_live
from execution.services.guarding import Guardian
from execution.services.orders import ManualOrder, place_manual_order
from execution.services.protection import send_protection
from execution.services.reconciliation import close_gate
from markets.selectors import forget_rules, get_rules_by_symbol
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level
from tests.fakes.sim_line import SimLine
from tests.faults.memory import KEY, PRICES, SECRET, Memory, connect
from tests.faults.menu import CRASHES, PLACES, REPLIES
from tests.faults.reaper import Killed, undone
from tests.floor import D

_ROUNDS = 14  # of the last guardian, until everything must be at rest
_ROUND_S = 6
_CLOCK_STEPS_MS = (-60_000, -2_000, 2_000, 60_000)
_TELL_EVERY = 250  # schedules, of a long run
_FAILING_STATEMENTS = 60  # a fault of the database hits one of the next so many


@dataclass
class Count:
    """What many schedules came to."""

    schedules: int = 0
    orders: int = 0
    fills: int = 0
    doubled: int = 0
    lost: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    # The stories of those that did not come to rest, each beginning with its seed.
    unsound: list[str] = field(default_factory=list)


class Schedule:
    """One world and the dice that trouble it."""

    def __init__(self, memory: Memory, seed: int) -> None:
        self.memory, self.floor, self.die = memory, memory.floor, memory.reaper
        self.dice = random.Random(seed)
        floor = self.floor
        self.line = memory.wire.line = SimLine(floor.clock, PRICES, key=KEY, secret=SECRET)  # type: ignore[arg-type]
        floor.line = self.line
        self.clock = self.line.clock
        self.story: list[str] = []
        self.kinds: list[str] = []
        self._broker, self._guardian = connect(self.line), self._new_guardian()
        self._is_inside = False

    def run(self) -> None:
        """Live through it, and check."""
        if self.dice.random() < 0.5:
            with contextlib.suppress(Denied):  # refused by the gate, and on record
                self._rest()
        for _ in range(self.dice.randint(2, 3)):
            self._break_something()
            self._work()
        self._mend()
        self._come_to_rest()

    # --- what works ------------------------------------------------------------------------

    def _work(self) -> None:
        """Place orders of decisions, in a process that may die; the guardian may come by."""
        symbols = self.dice.sample(sorted(PRICES), self.dice.randint(1, 2))
        action = self.dice.choice([Action.ENTER, Action.ENTER, Action.EXIT])
        decisions = [self.floor.decide(symbol, action) for symbol in symbols]
        self.floor.broker = self._broker
        self._as_process("gateway", lambda: self.floor.place(*decisions))
        self.clock.advance(self.dice.choice([0.1, 1.5, 3.0, 20.0]))
        if self.dice.random() < 0.6:
            self._deliver()
        if self.dice.random() < 0.6:
            self._guard()

    def _guard(self) -> None:
        self._as_process("guardian", self._guardian.run_round)
        if self.die.has_killed:
            self._restart_guardian()

    def _as_process(self, name: str, work: Callable[[], object]) -> None:
        """Run it as a process would: dead or failed, the others go on."""
        self.die.has_killed, self.die.is_at_work = False, True
        try:
            work()
        except Killed:
            self.story.append(f"{name} died at {self.die.place}")
            self._broker = connect(self.line)
        except (TradingError, DatabaseError, OSError) as error:
            self.story.append(f"{name}: {type(error).__name__}")
        finally:
            self.die.place, self.die.is_at_work = "", False
            # Out of a transaction of its own a failed statement leaves nothing to take back.
            transaction.set_rollback(False)

    def _restart_guardian(self) -> None:
        close_gate(account_id=self.floor.account.pk)
        self._guardian = self._new_guardian()

    def _new_guardian(self) -> Guardian:
        return Guardian(
            account_id=self.floor.account.pk,
            broker=connect(self.line),
            clock=self.clock,
            pause=self.clock.advance,
        )

    def _rest(self) -> None:
        symbol = self.dice.choice(sorted(PRICES))
        rules = get_rules_by_symbol(symbol)
        price = rules.quantize_price(self.floor.quote(symbol) * D("0.985"), "BUY")
        bracket = {}
        if self.dice.random() < 0.5:
            # Its stop and its target wait at the exchange until it is filled.
            bracket = {
                "stop_loss_price": rules.quantize_price(price * D("0.97"), "SELL"),
                "take_profit_price": rules.quantize_price(price * D("1.04"), "SELL"),
            }
            self.story.append(f"a resting entry with a bracket in {symbol}")
        place_manual_order(
            account_id=self.floor.account.pk,
            wanted=ManualOrder(
                symbol=symbol,
                side=Side.BUY,
                type=OrderType.LIMIT,
                quantity=rules.quantize_quantity(D("500") / price),
                price=price,
                time_in_force=TimeInForce.GTC,
                **bracket,
            ),
            idempotency_key="resting",
            actor="tester",
            broker=self._broker,
            clock=self.clock,
        )

    def _deliver(self) -> None:
        """Let the user stream bring what has happened, in its own process."""
        events, self.line.events = self.line.events, []
        reports = [execution_report(e) for e in events if e["e"] == "executionReport"]
        for bent in ("twice", "backwards", "not all"):
            if bent in self.kinds:
                reports = _bend(reports, bent, self.dice)

        def book() -> None:
            broker = connect(self.line)
            recorded = record_live(
                account_id=self.floor.account.pk, reports=reports, broker=broker, clock=self.clock
            )
            send_protection(list_ids=recorded.protect_ids, broker=broker, clock=self.clock)

        self._as_process("stream", book)

    # --- what breaks -----------------------------------------------------------------------

    def _break_something(self) -> None:
        fault = self.dice.choice(_FAULTS)
        told = fault(self)
        self.kinds.append(told.partition(":")[0])
        self.story.append(told)

    def break_reply(self) -> str:
        method, path = self.dice.choice(PLACES)
        name, options = self.dice.choice(REPLIES)
        slow = {"ms": 13_000} if name == "delay" else {}
        rule = {"match": {"method": method, "path": path}, "fault": name, **options, **slow}
        self.line.call("POST", "/_sim/faults", [{**rule, "times": self.dice.randint(1, 3)}])
        return f"reply: {name} {options} at {method} {path}"

    def bend_events(self) -> str:
        return self.dice.choice(["twice", "backwards", "not all"])

    def kill_process(self) -> str:
        self.die.place = self.dice.choice(CRASHES)
        return f"death: at {self.die.place}"

    def fail_database(self) -> str:
        self.die.statements_left = self.dice.randint(1, _FAILING_STATEMENTS)
        return f"database: fails at statement {self.die.statements_left}"

    def move_market(self) -> str:
        symbol, share = (
            self.dice.choice(sorted(PRICES)),
            self.dice.choice(["0.96", "0.984", "1.06"]),
        )
        price = self.floor.price(symbol) * D(share)
        price = get_rules_by_symbol(symbol).quantize_price(price, "BUY")
        self.line.market.set_price(symbol, price)
        return f"market: {symbol} times {share}"

    def nibble(self) -> str:
        """Let the market come down to what rests and take a part of it."""
        orders = self.line.exchange.ledger.orders.values()
        resting = [one for one in orders if one.is_open and one.side == "BUY"]
        if not resting:
            return "nibble: nothing rests"
        order = self.dice.choice(resting)
        rules = get_rules_by_symbol(order.symbol)
        part = rules.quantize_quantity(order.remaining * D(self.dice.choice(["0.1", "0.6"])))
        self.line.market.set_price(order.symbol, order.price, part)
        return f"nibble: {part} {order.symbol}"

    def raise_switch(self) -> str:
        level = self.dice.choice([Level.REDUCE_ONLY, Level.HALT, Level.CANCEL, Level.FLATTEN])
        scope = self.dice.choice(["GLOBAL", f"symbol:{self.dice.choice(sorted(PRICES))}"])
        raise_level(level=level, scope=scope, reason="seed", actor="tester", now=self.clock.now())
        return f"kill: {level} of {scope}"

    def step_clock(self) -> str:
        ms = self.dice.choice(_CLOCK_STEPS_MS)
        self.line.call("POST", "/_sim/faults", [{"fault": "clock_offset", "ms": ms}])
        return f"clock: the exchange is {ms} ms off"

    def change_symbol(self) -> str:
        symbol, status = self.dice.choice(sorted(PRICES)), self.dice.choice(["HALT", "CANCEL_ONLY"])
        self.line.call("POST", "/_sim/symbol", {"symbol": symbol, "status": status})
        return f"symbol: {symbol} is {status}"

    def change_filter(self) -> str:
        symbol = self.dice.choice(sorted(PRICES))
        change = {"filterType": "PRICE_FILTER", "tickSize": "0.1"}
        self.line.call("POST", "/_sim/symbol", {"symbol": symbol, "filters": [change]})
        return f"filter: the ticks of {symbol} are coarser"

    def interrupt(self) -> str:
        """At one of the next requests something else happens first."""
        left = self.dice.randint(1, 6)
        happenings = [self._deliver, self._cancel_all, self.move_market, self.nibble, self._guard]
        what = self.dice.choice(happenings)

        def on_request(_method: str, _path: str) -> None:
            nonlocal left
            left -= 1
            if left == 0 and not self._is_inside:
                self._is_inside = True
                place, self.die.place = self.die.place, ""
                what()
                self.die.place, self.die.is_at_work, self._is_inside = place, True, False

        self.line.on_request = on_request
        return f"meanwhile: {what.__name__} before request {left}"

    def _cancel_all(self) -> None:
        live = Order.objects.filter(parent__isnull=True, state__in=["NEW", "PARTIALLY_FILLED"])
        orders = list(live.exclude(leg="EXTERNAL").order_by("pk"))
        self._as_process(
            "canceler",
            lambda: cancel_orders(orders=orders, broker=connect(self.line), clock=self.clock),
        )

    def _mend(self) -> None:
        self.line.call("DELETE", "/_sim/faults")
        self.line.on_request = None
        self.die.rest()
        self.clock.error = timedelta(0)  # somebody puts the machine's clock right
        for symbol in PRICES:
            self.line.call("POST", "/_sim/symbol", {"symbol": symbol, "status": "TRADING"})

    # --- what must hold --------------------------------------------------------------------

    def _come_to_rest(self) -> None:
        self._restart_guardian()
        last: list[str] = []
        # A request signed by a clock that was a minute ahead is fenced a minute further away.
        ahead_s = max(_CLOCK_STEPS_MS) / 1000 if "clock" in self.kinds else 0
        for _ in range(_ROUNDS + round(ahead_s / _ROUND_S)):
            self._guardian.run_round()
            self.clock.advance(_ROUND_S)
            last = [f"{o.pk} {o.leg} {o.state}" for o in _doubtful()]
            if not last:
                last = self.memory.findings()
            if not last:
                return
        raise AssertionError("\n".join(["not at rest:", *self.story, *last, *_rows()]))

    def count_into(self, total: Count) -> None:
        """Add what the exchange itself counts."""
        ledger = self.line.exchange.ledger.describe()
        posts = Counter(
            row["client_order_id"]
            for row in ledger["requests"]
            if row["method"] == "POST" and row["client_order_id"]
        )
        booked = set(Fill.objects.values_list("symbol", "venue_trade_id"))
        traded = {(row["symbol"], row["id"]) for row in ledger["trades"]}
        total.schedules += 1
        total.orders += len(ledger["orders"])
        total.fills += len(traded)
        total.doubled += sum(count - 1 for count in posts.values())
        total.lost += len(traded - booked)
        total.kinds.update(self.kinds)


_FAULTS: tuple[Callable[[Schedule], str], ...] = (
    *(Schedule.break_reply, Schedule.break_reply, Schedule.break_reply),
    *(Schedule.kill_process, Schedule.kill_process, Schedule.fail_database),
    *(Schedule.bend_events, Schedule.move_market, Schedule.nibble, Schedule.raise_switch),
    *(Schedule.step_clock, Schedule.change_symbol, Schedule.change_filter),
    *(Schedule.interrupt, Schedule.interrupt),
)


def _bend(reports: list[Any], how: str, dice: random.Random) -> list[Any]:
    if how == "twice":
        return [one for one in reports for _ in range(2)]
    if how == "backwards":
        return reports[::-1]
    return [one for one in reports if dice.random() < 0.5]


def _doubtful() -> list[Order]:
    return list(
        Order.objects.filter(parent__isnull=True, state__in=["SENDING", "UNKNOWN", "APPROVED"])
    )


def _rows() -> list[str]:
    rows = Order.objects.filter(parent__isnull=True).order_by("pk")
    return [f"order {o.pk} {o.leg} {o.side} {o.type} {o.state} {o.reason}" for o in rows]


def run_schedules(memory: Memory, seeds: range) -> Count:
    """Run a schedule for each seed, each in the same first world."""
    total = Count()
    for seed in seeds:
        memory.reaper.rest()
        forget_rules()  # what the schedule before has read anew was taken back
        with undone(), connection.execute_wrapper(memory.reaper.fail):
            schedule = Schedule(memory, seed)
            try:
                schedule.run()
            except AssertionError as error:
                total.unsound.append(f"seed {seed}: {error}")
            schedule.count_into(total)
        if total.schedules % _TELL_EVERY == 0:
            sys.stderr.write(f"{total}\n")
    return total
