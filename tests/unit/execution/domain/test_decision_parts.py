"""Decisions on a position that is entered and left in parts."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execution.domain.decision import Action, Reason
from tests.unit.execution.domain.test_decision import CONFIG, HELD, MARKET, RUNNING, predict, run

D = Decimal
PARTS = replace(CONFIG, scale_in_parts=2, scale_out_parts=3)
OURS = replace(HELD, entries=1, last_entry_price=100.0, average_price=100.0)


def at(price, position=OURS, **changes):
    market = replace(MARKET, price=price)
    return run(market=market, position=position, config=PARTS, **changes)


def test_it_enters_with_a_part_of_the_size() -> None:
    whole, part = run(), run(config=PARTS)

    assert part.target_notional == whole.target_notional / 2


@pytest.mark.parametrize(
    ("price", "position", "action", "reason", "share"),
    [
        (100.5, OURS, Action.HOLD, Reason.KEEP_POSITION, D(1)),
        (101.1, OURS, Action.ENTER, Reason.SCALE_IN, D(1)),
        (101.1, replace(OURS, entries=2), Action.HOLD, Reason.KEEP_POSITION, D(1)),
        (102.1, OURS, Action.EXIT, Reason.SCALE_OUT, D("0.333333333333333333")),
        (102.1, replace(OURS, exits=1), Action.HOLD, Reason.KEEP_POSITION, D(1)),
        (104.1, replace(OURS, exits=1), Action.EXIT, Reason.SCALE_OUT, D("0.5")),
        (120.0, replace(OURS, exits=2), Action.HOLD, Reason.KEEP_POSITION, D(1)),
    ],
)
def test_it_grows_and_shrinks_by_the_price(price, position, action, reason, share) -> None:
    draft = at(price, position)

    assert (draft.action, draft.reason, draft.exit_fraction) == (action, reason, share)
    assert bool(draft.target_notional) is (action is Action.ENTER)


def test_it_adds_nothing_that_a_veto_forbids() -> None:
    stopped = at(101.1, state=replace(RUNNING, is_running=False))

    assert (stopped.action, stopped.reason) == (Action.HOLD, Reason.KEEP_POSITION)


def test_a_turned_signal_goes_before_parts() -> None:
    draft = at(102.1, prediction=predict(-0.01))

    assert (draft.reason, draft.exit_fraction) == (Reason.EXIT_REVERSAL, D(1))
