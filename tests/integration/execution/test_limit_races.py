"""Eight submitters want the same room under a limit at the same moment; it is never exceeded.

Within a race exposure only grows, so what stands at its end is the most that stood at any moment
of it. It is measured on the rows alone, not by the portfolio that the gate reads.
``LIMIT_RACES=10000`` runs more of them.
"""

import os
import random
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, connections

from execution.domain.decision import Action
from execution.domain.order import LIVE_STATES, Leg
from execution.models import Balance, Decision, Order, Position
from execution.services.claims import claim_orders
from execution.services.intents import approve_decisions
from execution.services.orders import place_orders
from execution.services.proposals import ENTRY_LIFETIME
from execution.services.resolution import resolve_unknown
from markets.domain.ticker import Ticker
from markets.models.tickers import write_tickers
from risk.models import RiskLimits
from risk.services.limits import save_limits
from tests.fakes.broker import Fault
from tests.integration.execution.conftest import World, build_world

pytestmark = pytest.mark.faults
D = Decimal
SUBMITTERS = 8
RACES = int(os.environ.get("LIMIT_RACES", "0"))
PRICE = D(100)
# What one race is about: its limits, the notional of each order, and whether all want one symbol.
WIDE = {"max_positions": 100, "max_open_orders": 200, "max_position_size": D(1_000_000)}
CONTESTS = {
    "symbols": ({"max_positions": 3}, "1000", False),
    "size": ({"max_position_size": D("2500")}, "1000", True),
    "orders": ({"max_open_orders": 5}, "1000", False),
    "cash": ({}, "30000", False),
}


@dataclass
class Tally:
    """What the races came to."""

    races: int = 0
    approved: int = 0
    denied: int = 0
    with_unknown: int = 0
    exceeded: list[str] = field(default_factory=list)


class Races:
    """One account, eight threads with a connection each, and a starting gun."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dice = random.Random(8)
        self.tally = Tally()
        self._gun = threading.Barrier(SUBMITTERS)
        self._symbols = sorted(world.instruments)

    def run(self, count: int) -> Tally:
        with ThreadPoolExecutor(SUBMITTERS) as pool:
            for number in range(count):
                has_unknown = number % 4 == 1
                if has_unknown:
                    self._lose_track_of_one()
                self._race(pool, self.dice.choice(sorted(CONTESTS)))
                if has_unknown:
                    self._find_it()
                self._make_room()
            list(pool.map(self._hang_up, range(SUBMITTERS)))
        return self.tally

    def _race(self, pool: ThreadPoolExecutor, about: str) -> None:
        limits, notional, same = CONTESTS[about]
        self._limit(**{**WIDE, **limits})
        self._quote()
        offset = self.dice.randrange(len(self._symbols))
        chosen = [self._symbols[(offset + n) % len(self._symbols)] for n in range(SUBMITTERS)]
        decisions = self._decide([chosen[0]] * SUBMITTERS if same else chosen, notional)

        list(pool.map(self._submit, decisions))

        self._measure(about)

    def _decide(self, symbols: list[str], notional: str) -> list[int]:
        now = self.world.clock.now()
        rows = Decision.objects.bulk_create(
            Decision(
                strategy=self.world.strategy,
                instrument=self.world.instruments[symbol],
                timeframe="1h",
                close_time=now - timedelta(milliseconds=number),
                action=Action.ENTER.value,
                reason="TEST",
                price=PRICE,
                target_notional=D(notional),
                created_at=now,
            )
            for number, symbol in enumerate(symbols)
        )
        return [row.pk for row in rows]

    def _submit(self, decision_id: int) -> None:
        self._gun.wait(timeout=60)
        approve_decisions(decision_ids=[decision_id], clock=self.world.clock)

    def _hang_up(self, _number: int) -> None:
        self._gun.wait(timeout=60)  # one for each thread
        connections.close_all()

    def _measure(self, about: str) -> None:
        limits = RiskLimits.objects.get()
        live = list(
            Order.objects.filter(
                parent__isnull=True, side="BUY", state__in=[state.value for state in LIVE_STATES]
            )
        )
        held = list(Position.objects.filter(status=Position.Status.OPEN))
        stops = Order.objects.filter(
            leg__in=[Leg.STOP_LOSS, Leg.TAKE_PROFIT], state__in=[s.value for s in LIVE_STATES]
        ).count()
        sizes: dict[int, Decimal] = {}
        for order in live:
            worth = (order.quantity - order.filled_quantity) * PRICE
            sizes[order.instrument_id] = sizes.get(order.instrument_id, D(0)) + worth
        for position in held:
            worth = position.quantity * PRICE
            sizes[position.instrument_id] = sizes.get(position.instrument_id, D(0)) + worth
        cash = Balance.objects.get(asset="USDT").total
        reserved = sum((order.reserved_quantity for order in live), D(0))
        found = {
            "symbols": (len(sizes), limits.max_positions),
            "size": (max(sizes.values(), default=D(0)), limits.max_position_size),
            "orders": (len(live) + stops, limits.max_open_orders),
            "cash": (reserved + limits.fee_reserve, cash),
        }
        for name, (value, limit) in found.items():
            if value > limit:
                self.tally.exceeded.append(f"race {self.tally.races} ({about}): {name} {value}")
        self.tally.races += 1
        self.tally.approved += sum(order.state == "APPROVED" for order in live)

    def _make_room(self) -> None:
        """Let what was approved lapse, by the way that late orders take."""
        self.world.clock.advance(ENTRY_LIFETIME.total_seconds() + 1)
        late = Order.objects.filter(state="APPROVED").values_list("pk", flat=True)
        assert claim_orders(order_ids=list(late), clock=self.world.clock) == []

    def _lose_track_of_one(self) -> None:
        """Send an order whose reply is lost: its exposure counts in the race that follows."""
        self.tally.with_unknown += 1
        self._limit(**WIDE)
        self._quote()
        self.world.broker.faults.append(Fault("submit", "drop"))
        decision = self._decide([self.dice.choice(self._symbols)], "1000")
        place_orders(decision_ids=decision, broker=self.world.broker, clock=self.world.clock)
        order = Order.objects.get(decision__in=decision)
        assert order.state == "UNKNOWN", f"race {self.tally.races}: {order.state} {order.reason}"

    def _find_it(self) -> None:
        """Prove that the lost one never arrived, before it is given up."""
        for seconds in (20, 3):
            self.world.clock.advance(seconds)
            resolve_unknown(
                account_id=self.world.account.pk, broker=self.world.broker, clock=self.world.clock
            )
        assert not Order.objects.filter(state="UNKNOWN").exists()

    def _limit(self, **limits: Any) -> None:
        """Change the limits as a person does: each version stays on record with what it allowed."""
        save_limits(
            changes={**limits, "duplicate_window_s": 0},
            actor="tester",
            reason="the next race",
            now=self.world.clock.now(),
        )

    def _quote(self) -> None:
        now = self.world.clock.now()
        write_tickers([Ticker(symbol=name, price=PRICE, at=now) for name in self._symbols])


@pytest.mark.timeout(600 + 2 * RACES)
def test_no_limit_is_exceeded_however_many_submit_at_once(transactional_db, clock):
    world = build_world(clock, {f"C{number}USDT": PRICE for number in range(12)})
    # SQLite's one writer has the others wait for whole fractions of a second.
    count = RACES or (40 if connection.vendor == "postgresql" else 8)

    tally = Races(world).run(count)

    tally.denied = Order.objects.filter(state="DENIED").count()
    sys.stdout.write(f"{connection.vendor}: {tally}\n")
    assert tally.exceeded == []
    assert tally.races == count
    assert tally.approved > count  # there was room, and it was given
    assert tally.denied > count  # and more was wanted than there was
    world.must_be_sound()
