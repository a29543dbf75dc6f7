"""A state machine lives through orders in every order of events; the invariants hold at each step.

``HYPOTHESIS_RUNS`` makes it longer than CI needs.
"""

import contextlib
import os
from dataclasses import replace

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from core.errors import Conflict, Denied, InvalidInput, NotFound, OrderRejected
from execution.domain.decision import Action
from execution.domain.invariants import Invariant
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order
from execution.services.amending import amend_order
from execution.services.cancels import cancel_orders
from execution.services.claims import claim_orders
from execution.services.completing import record_live
from execution.services.guarding import Guardian
from execution.services.intents import approve_decisions
from execution.services.orders import ManualOrder, place_manual_order, place_orders
from execution.services.replacing import Changes, replace_order
from markets.models import Instrument
from markets.selectors import forget_rules
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level, rearm
from tests.fakes.broker import Fault
from tests.fakes.clock import HandClock
from tests.integration.execution.conftest import PRICES, D, build_world

RUNS = int(os.environ.get("HYPOTHESIS_RUNS", "12"))
# These need no exchange and hold between any two statements of ours.
AT_EVERY_STEP = (
    *(Invariant.I5, Invariant.I6, Invariant.I7, Invariant.I8, Invariant.I9),
    *(Invariant.I10, Invariant.I11),
)
symbols = st.sampled_from(sorted(PRICES))
calls = st.sampled_from(
    [
        *("submit", "submit_oco", "submit_otoco", "replace", "amend", "cancel"),
        *("query", "open_orders", "all_orders", "trades", "balances"),
    ]
)
# type, then price, stop price and stop's limit price as shares of the market's for a buy (a sale's
# are mirrored), trailing delta, time in force
kinds_by_hand = st.sampled_from(
    [
        ("MARKET", None, None, None, None, None),
        ("LIMIT", "0.99", None, None, None, "GTC"),
        ("LIMIT", "1.01", None, None, None, "IOC"),
        ("LIMIT", "0.99", None, None, None, "FOK"),
        ("LIMIT_MAKER", "0.99", None, None, None, None),
        ("STOP_LOSS", None, "1.01", None, None, None),
        ("STOP_LOSS", None, None, None, 100, None),
        ("STOP_LOSS_LIMIT", "1.015", "1.01", None, None, "GTC"),
        ("TAKE_PROFIT", None, "0.99", None, None, None),
        ("TAKE_PROFIT_LIMIT", "0.995", "0.99", None, None, "GTC"),
        ("OCO", "0.99", "1.01", None, None, None),
        ("OCO", "0.99", "1.01", "1.015", None, None),
        ("OCO", "0.99", None, None, 100, None),
    ]
)
_CANCELABLE = ("APPROVED", "PENDING_NEW", "NEW", "PARTIALLY_FILLED")
scopes = st.sampled_from(["GLOBAL", "symbol:BTCUSDT"])
kinds = st.sampled_from(["lose_reply", "drop", "refuse", "error", "hide"])


class LifeCycle(RuleBasedStateMachine):
    """One account; whoever may act on it acts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.clock = HandClock()
        self.world = build_world(self.clock, PRICES)
        self.broker = self.world.broker
        Instrument.objects.update(otoco_allowed=True)
        forget_rules()
        self.guardian = Guardian(
            account_id=self.world.account.pk,
            broker=self.broker,
            clock=self.clock,
            pause=lambda _seconds: None,
        )
        self.serial = 0

    # --- we ---------------------------------------------------------------------------------

    @rule(symbol=symbols, action=st.sampled_from([Action.ENTER, Action.EXIT]))
    def place(self, symbol, action):
        decision = self.world.decide(symbol, action)
        place_orders(decision_ids=[decision.pk], broker=self.broker, clock=self.clock)

    @rule(symbol=symbols, claims=st.booleans())
    def die_before_sending(self, symbol, claims):
        ids = approve_decisions(decision_ids=[self.world.decide(symbol).pk], clock=self.clock)
        if claims:
            claim_orders(order_ids=ids, clock=self.clock)

    @rule(symbol=symbols, share=st.sampled_from(["0.99", "1.002"]))
    def place_with_bracket(self, symbol, share):
        """A resting entry whose pair waits at the exchange, or one that crosses the market."""
        form = ("LIMIT", share, None, None, None, "GTC")
        self._by_hand(symbol, Side.BUY, form, stop_loss="0.97", take_profit="1.04")

    @rule(symbol=symbols, side=st.sampled_from(list(Side)), form=kinds_by_hand)
    def place_by_hand(self, symbol, side, form):
        self._by_hand(symbol, side, form)

    def _by_hand(self, symbol, side, form, *, stop_loss=None, take_profit=None):
        self.serial += 1
        market = self.broker.prices[symbol]
        kind, price, stop, limit, delta, time = form

        def at(share):
            if share is None:
                return None
            distance = D(share) - 1
            exact = market * (1 + (distance if side is Side.BUY else -distance))
            return exact.quantize(D("0.01") if market > 10 else D("0.0001"))

        wanted = ManualOrder(
            symbol=symbol,
            side=side,
            type=OrderType(kind),
            quantity=(D("400") / market).quantize(D("0.1")) or D("0.01"),
            price=at(price),
            stop_price=at(stop),
            stop_limit_price=at(limit),
            trailing_delta_bps=delta,
            time_in_force=time and TimeInForce(time),
            stop_loss_price=at(stop_loss),
            take_profit_price=at(take_profit),
        )
        with contextlib.suppress(Denied):  # refused by the gate, and on record
            place_manual_order(
                account_id=self.world.account.pk,
                wanted=wanted,
                idempotency_key=f"key-{self.serial}",
                actor="tester",
                broker=self.broker,
                clock=self.clock,
            )

    def _resting(self, which):
        """Return one of the orders that rest here, as far as we know; None without any."""
        live = Order.objects.filter(parent__isnull=True, state__in=["NEW", "PARTIALLY_FILLED"])
        rows = list(live.exclude(leg="EXTERNAL").order_by("pk"))
        return rows[which % len(rows)] if rows else None

    @rule(which=st.integers(0, 9), share=st.sampled_from([D("0.995"), D("1.005"), D("1.5")]))
    def replace(self, which, share):
        order = self._resting(which)
        if order is None:
            return
        self.serial += 1
        name = next((n for n in ("price", "stop_price") if getattr(order, n) is not None), None)
        changes = Changes(trailing_delta_bps=150)
        if name is not None:
            moved = (getattr(order, name) * share).quantize(D("0.01"))
            changes = Changes(**{name: moved or D("0.01")})
        with contextlib.suppress(Denied, Conflict, InvalidInput):  # refused, with the reason
            replace_order(
                account_id=self.world.account.pk,
                order_id=order.pk,
                changes=changes,
                idempotency_key=f"key-{self.serial}",
                actor="tester",
                reason="x",
                broker=self.broker,
                clock=self.clock,
            )

    @rule(which=st.integers(0, 9), share=st.sampled_from([D("0.4"), D("0.8"), D("1.2")]))
    def amend(self, which, share):
        order = self._resting(which)
        if order is None:
            return
        # Refused by us, or by the exchange: either way the order is as it was.
        with contextlib.suppress(Conflict, InvalidInput, OrderRejected):
            amend_order(
                account_id=self.world.account.pk,
                order_id=order.pk,
                quantity=(order.quantity * share).quantize(D("0.001")) or D("0.001"),
                actor="tester",
                reason="x",
                broker=self.broker,
                clock=self.clock,
            )

    @rule(which=st.integers(0, 9))
    def cancel(self, which):
        live = Order.objects.filter(parent__isnull=True).exclude(leg="EXTERNAL").order_by("pk")
        live = live.exclude(working__isnull=False, state="APPROVED")  # lapses with its entry
        orders = [row for row in live if row.state in _CANCELABLE]
        if orders:
            chosen = orders[which % len(orders)]
            cancel_orders(orders=[chosen], broker=self.broker, clock=self.clock)

    @rule()
    def guard(self):
        self.guardian.run_round()

    @rule(
        level=st.sampled_from(list(Level)[1:]), scope=st.sampled_from(["GLOBAL", "symbol:BTCUSDT"])
    )
    def kill(self, level, scope):
        raise_level(level=level, scope=scope, reason="x", actor="tester", now=self.clock.now())

    @rule(scope=scopes)
    def rearm(self, scope):
        with contextlib.suppress(NotFound):  # that scope was never raised
            rearm(reason="x", actor="tester", now=self.clock.now(), scope=scope)

    @rule(seconds=st.sampled_from([0.3, 3, 20, 130]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    # --- the exchange -----------------------------------------------------------------------

    @rule(call=calls, kind=kinds, times=st.integers(1, 3))
    def fail(self, call, kind, times):
        self.broker.faults.append(Fault(call, kind, times=times))

    @precondition(lambda self: self.broker._open())
    @rule(which=st.integers(0, 9), share=st.sampled_from([D("0.3"), D(1)]))
    def fill(self, which, share):
        order = self.broker._open()[which % len(self.broker._open())]
        left = order.quantity - order.filled_quantity
        part = (left * share).quantize(D("0.00001"))
        if part > 0:
            price = order.price or order.stop_price or self.broker.prices[order.symbol]
            self.broker.fill(order.venue_order_id, part, price)

    @precondition(lambda self: self.broker.orders)
    @rule(which=st.integers(0, 20), with_trades=st.booleans())
    def tell(self, which, with_trades):
        """The stream brings what is true, once more, with its trades or without."""
        orders = list(self.broker.orders.values())
        report = orders[which % len(orders)]
        own = [t for t in self.broker.executions if t.venue_order_id == report.venue_order_id]
        report = replace(report, executions=tuple(own) if with_trades else ())
        record_live(
            account_id=self.world.account.pk,
            reports=[report],
            broker=self.broker,
            clock=self.clock,
        )

    # --- what must hold ---------------------------------------------------------------------

    @invariant()
    def the_books_hold(self):
        report = self.world.check(read_truth=None, only=AT_EVERY_STEP)
        assert report.findings == ()

    def teardown(self):
        """Once the trouble is over everything comes to rest, and equals the exchange."""
        try:
            self.broker.faults.clear()
            for _ in range(8):
                self.clock.advance(16)
                self.guardian.run_round()
            self.world.reconcile()
            assert self.world.check().findings == ()
            assert not Order.objects.filter(state__in=["SENDING", "UNKNOWN"]).exists()
        finally:
            transaction.savepoint_rollback(self.savepoint)


@pytest.mark.django_db
@pytest.mark.slow
def test_the_life_of_orders():
    run_state_machine_as_test(
        LifeCycle,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=25,
            deadline=None,
            # Shrinking takes minutes; the whole story of a failure is printed anyway.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            derandomize="HYPOTHESIS_RUNS" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
