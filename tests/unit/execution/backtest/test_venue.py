"""The exchange of a backtest by hand: a position in two parts, each under its own stop."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from execution.backtest.account import Account
from execution.backtest.engine import Setup
from execution.backtest.rules import RuleStrategy, Signals
from execution.backtest.slot import Pending, Slot
from execution.backtest.venue import trade_candle
from execution.domain.order import Side
from tests.unit.execution.backtest.test_engine import FREE, series_of

D = Decimal
# Ten bought at 100, ten more at 99: stops at 98 and 97.02, targets at 105 and 103.95.
BOUGHT = [(100, 100, 100, 100), (99, 99, 99, 99)]
BOTH = [(D(98), D(105), D(10)), (D("97.02"), D("103.95"), D(10))]


def quiet(series):
    nothing = np.zeros(len(series), dtype=bool)
    return Signals(enter=nothing, leave=nothing)


def in_two_parts(*candles, costs=FREE):
    """Return slot and account after two purchases and the candles that follow at these costs."""
    series = series_of(*BOUGHT, *candles)
    plan = RuleStrategy(name="rule", signals=quiet, notional=D(1000)).plan(series)
    slot = Slot(index=0, series=series, plans=[plan], begin_row=0)
    account = Account(timeline=series.close_ms, slots=[slot], setup_cash=D(100_000), names=["rule"])
    for row in range(len(series)):
        slot.row = row
        if row < len(BOUGHT):
            slot.pending = Pending(side=Side.BUY, reason="IN", owner=0, arrival_ms=0, left=D(10))
        trade_candle(slot, account, Setup(costs=FREE if row < len(BOUGHT) else costs))
    return slot, account


def guards(slot):
    return [
        (each.plan.stop_price, each.plan.take_profit_price, each.plan.quantity)
        for each in slot.guards
    ]


def test_each_part_is_guarded_from_its_own_price():
    slot, account = in_two_parts()

    assert guards(slot) == BOTH
    exposure = account.snapshot(int(slot.close_ms[1])).exposures[1]
    assert (exposure.protective_quantity, exposure.open_orders) == (D(20), 4)
    assert exposure.open_algo_orders == 2


@pytest.mark.parametrize(
    ("candle", "left", "cash"),
    [
        # only the first part's stop is met
        ((99, 99, 97.5, 98), BOTH[1:], D(98_010) + 980),
        # only the second part's target
        ((99, 104, 99, 104), BOTH[:1], D(98_010) + D("1039.5")),
        # both stops, in the order of their prices
        ((99, 99, 90, 90), [], D(98_010) + 980 + D("970.2")),
        # both targets
        ((99, 106, 99, 106), [], D(98_010) + 1050 + D("1039.5")),
        # opens below both stops: sold at the open
        ((95, 95, 95, 95), [], D(98_010) + 1900),
    ],
    ids=["one stop", "one target", "both stops", "both targets", "gap"],
)
def test_a_part_is_sold_by_its_own_stop_or_target(candle, left, cash):
    slot, account = in_two_parts(candle)

    assert guards(slot) == left
    assert account.cash == cash
    assert slot.position.quantity == 10 * len(left)
    assert (slot.trip is None) == (not left)


def test_what_finds_no_buyer_of_both_parts_waits_together_for_the_next_opens():
    thin = replace(FREE, participation=D("0.008"))  # eight of a candle's thousand

    slot, account = in_two_parts((99, 99, 90, 90), costs=thin)
    assert slot.guards == []
    assert (slot.pending.side, slot.pending.left) == (Side.SELL, D(4))
    assert slot.position.quantity == 4

    slot, account = in_two_parts((99, 99, 90, 90), (89, 89, 89, 89), costs=thin)
    assert (slot.pending, slot.trip) == (None, None)
    assert account.cash == D(98_010) + 8 * 98 + 8 * D("97.02") + 4 * 89
