import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bench.vigilance import (
    false_triggers,
    flip_noticed,
    outcomes,
    per_10_000,
    skill_doubted,
)
from mlmodels.domain.alarms import Alarm, EventOutcome, PastEvent, Trigger, what_to_do
from mlmodels.domain.evaluation import OutOfFold
from mlmodels.domain.statistics import HacMean
from mlmodels.domain.triggers import (
    calibration_alarm,
    drift_alarm,
    error_alarm,
    model_alarm,
    skill_alarm,
)

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SEEDS = int(os.environ.get("HONESTY_SEEDS", "0")) or 20
DAY = timedelta(days=1)


def test_it_hardly_ever_doubts_a_model_that_keeps_its_skill():
    seeds = max(2, SEEDS // 2)

    # at most one per 10,000 closes
    assert sum(skill_doubted(seed, bars=3000) for seed in range(seeds)) <= 0.3 * seeds


@pytest.mark.parametrize(("horizon", "symbols"), [(1, 1), (4, 4)])
def test_it_notices_within_500_predictions_that_the_signal_turned(horizon, symbols):
    found = [flip_noticed(seed, horizon=horizon, symbols=symbols) for seed in range(SEEDS)]

    in_time = [closes is not None and closes <= 500 for closes in found]
    assert np.mean(in_time) >= 0.95, found


def test_a_model_without_skill_has_none_to_lose():
    rows = outcomes(3, ic=-0.2)

    assert skill_alarm(rows, horizon_bars=4, promised_ic=0.1) is not None
    assert skill_alarm(rows, horizon_bars=4, promised_ic=None) is None
    assert skill_alarm(rows, horizon_bars=4, promised_ic=-0.1) is None


def test_it_forgets_what_was_bad_once_all_is_well_again():
    worth = np.concatenate([np.full(400, -0.2), np.full(1600, 0.2)])
    rows = outcomes(4, ic=worth)

    before = skill_alarm(rows.where(rows.time_ms < 400), horizon_bars=4, promised_ic=0.1)
    after = skill_alarm(rows, horizon_bars=4, promised_ic=0.1)

    assert before is not None
    assert before.evidence["log_likelihood_ratio"] > before.evidence["threshold"]
    assert after is None


@pytest.mark.slow
def test_a_market_that_stays_the_same_hardly_ever_asks_for_training():
    found = [false_triggers(seed, live_bars=5000, recipe="logistic") for seed in range(2)]

    # at most one per 10,000 bars
    assert per_10_000(found, live_bars=5000) <= 1, found


def test_it_does_not_take_a_storm_for_a_bad_model():
    rows = outcomes(5, ic=0.1)
    wild = rows.time_ms > 1500
    stormy = OutOfFold(
        **{
            name: np.where(wild, 5.0, 1.0) * getattr(rows, name)
            if name in ("forward_return", "expected_return", "horizon_sigma", "lower", "upper")
            else getattr(rows, name)
            for name in OutOfFold.__slots__
        }
    )

    assert skill_alarm(stormy, horizon_bars=4, promised_ic=0.1) is None
    assert error_alarm(stormy, horizon=timedelta(hours=4), horizon_bars=4, threshold=0.02) is None


@pytest.mark.parametrize("ic", [0.1, 0.0])
def test_its_error_is_no_reason_to_train_while_the_market_stays_the_same(ic):
    alarms = 0
    for seed in range(SEEDS):
        rows = outcomes(seed, ic=ic, bars=2000)
        alarms += any(
            error_alarm(
                rows.where((rows.time_ms <= bar) & (rows.time_ms > bar - 750)),
                horizon=timedelta(hours=4),
                horizon_bars=4,
                threshold=0.02,
            )
            for bar in range(200, 2000, 24)
        )

    # at most one per 10,000 closes
    assert alarms <= 0.2 * SEEDS


def test_it_minds_the_absolute_error_from_a_day_on():
    rows = outcomes(1, ic=0.1)
    wide = rows.where(rows.time_ms > 1900)

    short = error_alarm(wide, horizon=timedelta(hours=12), horizon_bars=4, threshold=0.0001)
    long = error_alarm(wide, horizon=DAY, horizon_bars=4, threshold=0.0001)

    assert short is None
    assert long is not None
    assert long.evidence["threshold"] == 0.0001
    assert long.evidence["mean_absolute_error"] > 0.0001
    assert error_alarm(wide, horizon=DAY, horizon_bars=4, threshold=1.0) is None


def test_it_minds_a_forecast_that_is_worse_than_none():
    rows = outcomes(2, ic=-0.1)
    loud = OutOfFold(
        **{
            name: 12.0 * rows.expected_return if name == "expected_return" else getattr(rows, name)
            for name in OutOfFold.__slots__
        }
    )

    found = error_alarm(loud, horizon=timedelta(hours=4), horizon_bars=4, threshold=0.02)

    assert found is not None
    assert found.evidence["ratio_to_no_forecast"] > 1.05


@pytest.mark.parametrize(
    ("slope", "standard_error", "is_alarm"),
    [
        (0.2, 0.1, True),
        (2.1, 0.2, True),
        (0.4, 0.1, False),  # below the bound, but it may be luck
        (0.2, 0.2, False),
        (1.9, 0.2, False),
        (1.0, 0.01, False),
    ],
)
def test_it_minds_a_calibration_that_is_out_of_bounds_beyond_luck(slope, standard_error, is_alarm):
    found = HacMean(mean=slope, standard_error=standard_error, t=(slope - 1) / standard_error)

    assert (calibration_alarm(found) is not None) is is_alarm
    assert calibration_alarm(None) is None


def alarm_of(rows, *, promised_ic=0.1, horizon_bars=1):
    return model_alarm(
        rows,
        horizon=timedelta(hours=1),
        horizon_bars=horizon_bars,
        threshold=0.02,
        promised_ic=promised_ic,
        drift=dict,
    )


def test_it_tests_the_calibration_where_there_is_enough_to_tell():
    rows = outcomes(6, ic=0.4, symbols=1, horizon=1, bars=1500)

    found = alarm_of(rows)

    assert found is not None
    assert found.trigger is Trigger.CALIBRATION
    assert alarm_of(rows, promised_ic=None) is None
    assert alarm_of(rows.where(rows.time_ms < 299)) is None
    assert alarm_of(rows, horizon_bars=26) is None


def test_it_minds_drift_of_three_features_each_by_its_own_measure():
    moved = {"a": (0.9, 0.5), "b": (0.4, 0.3), "c": (2.0, 2.5)}

    assert drift_alarm(moved) is None
    found = drift_alarm({**moved, "d": (0.2, 0.1)})
    assert found is not None
    assert found.evidence == {"features": 3, "a": 0.9, "b": 0.4, "d": 0.2}


SKILL = Alarm(trigger=Trigger.SKILL)


def started(*hours, trigger=Trigger.SKILL, version_id=1):
    return [
        PastEvent(
            trigger=trigger,
            outcome=EventOutcome.STARTED,
            at=NOW - timedelta(hours=age),
            version_id=version_id,
        )
        for age in hours
    ]


@pytest.mark.parametrize(
    ("past", "trained_hours_ago", "expected"),
    [
        ([], 7, EventOutcome.STARTED),
        ([], 5, None),
        (started(7), 7, EventOutcome.STARTED),
        (started(7, 13), 7, EventOutcome.STARTED),
        (started(7, 13, 19), 7, EventOutcome.STOPPED),
        (
            started(7) + started(9, trigger=Trigger.INTERVAL) + started(13, 19),
            7,
            EventOutcome.HELD_BACK,
        ),
        (started(7, trigger=Trigger.INTERVAL) + started(30, 36, 42), 7, EventOutcome.STARTED),
        # the champion is still the one that the alarm was about
        (started(7, version_id=2), 7, EventOutcome.HELD_BACK),
        (started(7 * 24 + 1, version_id=2), 7, EventOutcome.STARTED),
        (started(7, version_id=2, trigger=Trigger.DRIFT), 7, EventOutcome.STARTED),
    ],
)
def test_it_neither_loops_nor_hurries(past, trained_hours_ago, expected):
    found = what_to_do(
        SKILL,
        past=past,
        version_id=2,
        last_trained_at=NOW - timedelta(hours=trained_hours_ago),
        now=NOW,
    )

    assert found is expected


def test_it_never_holds_an_appointment_back():
    busy = started(*range(1, 9))

    found = what_to_do(
        Alarm(trigger=Trigger.INTERVAL),
        past=busy,
        version_id=1,
        last_trained_at=NOW - DAY,
        now=NOW,
    )

    assert found is EventOutcome.STARTED
