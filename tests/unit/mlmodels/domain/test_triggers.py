import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from mlmodels.domain.alarms import Alarm, EventOutcome, PastEvent, Trigger, what_to_do
from mlmodels.domain.evaluation import OutOfFold
from mlmodels.domain.statistics import HacMean
from mlmodels.domain.triggers import (
    calibration_alarm,
    drift_alarm,
    error_alarm,
    skill_alarm,
)

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SEEDS = int(os.environ.get("HONESTY_SEEDS", "0")) or 20
DAY = timedelta(days=1)


def outcomes(seed, *, ic, bars=2000, horizon=4, symbols=4):
    """Return predictions of a calibrated model in a market whose volatility clusters.

    `ic` is a number or one per bar: what the forecast is really worth; the model states 0.1.
    """
    rng = np.random.default_rng(seed)
    worth = np.broadcast_to(np.asarray(ic, float), bars)
    calm = np.exp(np.convolve(rng.standard_normal(bars + 99), np.ones(100) / 14, "valid"))
    parts = []
    for group in range(symbols):
        signal = rng.standard_normal(bars)
        noise = np.convolve(rng.standard_t(5, bars + horizon - 1), np.ones(horizon), "valid")
        noise /= noise.std()
        outcome = worth * signal + np.sqrt(1 - worth**2) * noise
        sigma = 0.01 * calm
        expected = 0.1 * signal * sigma
        p_up = 1 / (1 + np.exp(-1.6 * 0.1 * signal))
        parts.append(
            (np.arange(bars), np.full(bars, group), p_up, outcome * sigma, expected, sigma)
        )
    time, group, p_up, realized, expected, sigma = (
        np.concatenate(x) for x in zip(*parts, strict=True)
    )
    order = np.lexsort((group, time))
    return OutOfFold(
        time_ms=time[order],
        group=group[order],
        p_up=p_up[order],
        base_rate=np.full(len(order), 0.5),
        forward_return=realized[order],
        expected_return=expected[order],
        horizon_sigma=sigma[order],
        lower=-1.6 * sigma[order],
        upper=1.6 * sigma[order],
    )


def first_alarm(rows, *, after, step=48):
    """Return how many closes after `after` the skill alarm goes off, looking every `step`."""
    last = int(rows.time_ms.max())
    for bar in range(after + step, last + 1, step):
        seen = rows.where((rows.time_ms <= bar) & (rows.time_ms > bar - 750))
        if skill_alarm(seen, horizon_bars=4) is not None:
            return bar - after
    return None


def test_it_hardly_ever_doubts_a_model_that_keeps_its_skill():
    alarms = sum(
        first_alarm(outcomes(seed, ic=0.1, bars=3000), after=0) is not None for seed in range(SEEDS)
    )

    # at most one per 10,000 closes
    assert alarms <= 0.3 * SEEDS


def test_it_notices_within_500_predictions_that_the_signal_turned():
    flip = np.where(np.arange(1500) < 700, 0.1, -0.1)
    found = [first_alarm(outcomes(seed, ic=flip, bars=1500), after=700) for seed in range(SEEDS)]

    in_time = [bars is not None and bars * 4 <= 500 * 4 for bars in found]
    assert np.mean(in_time) >= 0.95, found


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

    assert skill_alarm(stormy, horizon_bars=4) is None
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
    ("slope", "t", "rows", "is_alarm"),
    [
        (0.4, -3.0, 300, True),
        (1.6, 3.0, 300, True),
        (0.4, -2.0, 300, False),  # it may be luck
        (1.0, 0.0, 300, False),
        (0.4, -3.0, 299, False),
    ],
)
def test_it_minds_the_calibration_when_there_is_enough_to_tell(slope, t, rows, is_alarm):
    found = HacMean(mean=slope, standard_error=0.2, t=t)

    assert (calibration_alarm(found, rows=rows) is not None) is is_alarm
    assert calibration_alarm(None, rows=500) is None


def test_it_minds_drift_of_three_features_each_by_its_own_measure():
    moved = {"a": (0.9, 0.5), "b": (0.4, 0.3), "c": (2.0, 2.5)}

    assert drift_alarm(moved) is None
    found = drift_alarm({**moved, "d": (0.2, 0.1)})
    assert found is not None
    assert found.evidence == {"features": 3, "a": 0.9, "b": 0.4, "d": 0.2}


SKILL = Alarm(trigger=Trigger.SKILL)


def started(*hours, trigger=Trigger.SKILL):
    return [
        PastEvent(trigger=trigger, outcome=EventOutcome.STARTED, at=NOW - timedelta(hours=age))
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
    ],
)
def test_it_neither_loops_nor_hurries(past, trained_hours_ago, expected):
    found = what_to_do(
        SKILL, past=past, last_trained_at=NOW - timedelta(hours=trained_hours_ago), now=NOW
    )

    assert found is expected


def test_it_never_holds_an_appointment_back():
    busy = started(*range(1, 9))

    found = what_to_do(
        Alarm(trigger=Trigger.INTERVAL), past=busy, last_trained_at=NOW - DAY, now=NOW
    )

    assert found is EventOutcome.STARTED
