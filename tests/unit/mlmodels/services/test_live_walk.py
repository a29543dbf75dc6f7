"""Models over time, trained when live training would have trained them."""

import numpy as np
import pytest

from mlmodels.adapters.factory import get_trainers
from mlmodels.domain.features import FeatureSpec
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.services.live_walk import walk_live
from mlmodels.services.walk_forward import WalkPlan
from tests.unit.mlmodels.market import HOUR_MS, generate

BARS, TURN = 3700, 2900


def turning():
    """Return a market whose signal turns its sign at `TURN`."""
    before, after = generate(BARS, seed=4, ic=0.4), generate(BARS, seed=4, ic=-0.4)
    scale = before.close[TURN - 1] / after.close[TURN - 1]
    joined = {}
    for name in before.__slots__:
        factor = scale if name in ("open", "high", "low", "close") else 1
        tail = getattr(after, name)[TURN:] * factor
        joined[name] = np.concatenate([getattr(before, name)[:TURN], tail])
    return type(before)(**joined)


def walk(market, *, begin=2000, **changed):
    plan = {
        "spec": FeatureSpec(interval_ms=HOUR_MS),
        "label": LabelSpec(horizon_bars=4),
        "begin_ms": int(market.open_time_ms[begin]),
        "every_bars": 720,
        "train_bars": 2000,
    }
    return walk_live(
        {1: market},
        plan=WalkPlan(**{**plan, **changed}),
        error_threshold=0.02,
        trainers=get_trainers("logistic"),
        progress=lambda done, total, message: None,
    )


def bar_of(market, moment_ms):
    return (moment_ms - int(market.open_time_ms[0])) // HOUR_MS


@pytest.fixture(scope="module")
def market():
    return turning()


@pytest.fixture(scope="module")
def lived(market):
    return walk(market)


def test_it_trains_by_appointment_while_all_is_well(market, lived):
    quiet = [event for event in lived.events if bar_of(market, event.at_ms) < TURN]

    assert [(bar_of(market, e.at_ms), e.trigger) for e in quiet] == [
        (2000, "first"),
        (2720, "interval"),
    ]
    assert quiet[0].outcome == "PROMOTED"


def test_it_notices_that_the_signal_turned(market, lived):
    after = [event for event in lived.events if bar_of(market, event.at_ms) > TURN]

    alarms = [e for e in after if e.trigger in ("error", "skill", "calibration")]
    assert alarms
    assert bar_of(market, alarms[0].at_ms) - TURN <= 500
    assert alarms[0].evidence
    assert "SUSPENDED" in [event.outcome for event in after]
    suspended = next(event.at_ms for event in after if event.outcome == "SUSPENDED")
    serving = next(item for item in lived.stretches if item.from_ms == suspended)
    assert serving.model.is_suspended


def test_it_lets_a_worse_version_wait(lived):
    rejected = [event for event in lived.events if event.outcome == "REJECTED"]
    versions = [item.model.version_id for item in lived.stretches]

    assert rejected
    assert all("worse" in event.reason for event in rejected)
    promoted = [event for event in lived.events if event.outcome == "PROMOTED"]
    assert len(set(versions)) == len(promoted)


def test_it_keeps_cool_between_alarms(lived):
    trained = [e.at_ms for e in lived.events if e.outcome in ("PROMOTED", "REJECTED")]

    assert len(trained) > 2
    assert (np.diff(trained) >= 6 * HOUR_MS).all()


def test_its_intervals_follow_their_misses(lived):
    scales = [item.scales[1] for item in lived.stretches if item.scales]

    assert len(scales) > 50
    assert min(scales) < max(scales)


def test_it_knows_nothing_of_what_comes_later(market, lived):
    cut = TURN - 100
    shorter = walk(market.cut(None, cut))

    known = [item for item in lived.stretches if bar_of(market, item.from_ms) <= cut - 6]
    again = shorter.stretches[: len(known)]
    assert [(item.from_ms, item.scales) for item in again] == [
        (item.from_ms, item.scales) for item in known
    ]
    assert [e.at_ms for e in shorter.events] == [
        e.at_ms for e in lived.events if bar_of(market, e.at_ms) <= cut
    ]


def test_it_waits_for_history(market):
    found = walk(market.cut(None, 2100), begin=600)

    assert {event.outcome for event in found.events[:-1]} == {"FAILED"}
    assert "usable candles" in found.events[0].reason
    assert found.stretches[0].from_ms == found.events[-1].at_ms
