from dataclasses import replace

import numpy as np
import pytest

from mlmodels.domain.label_spec import LabelKind, LabelSpec
from mlmodels.domain.labels import forward_labels, make_labels, realized
from mlmodels.domain.primary import sides_of
from tests.unit.mlmodels.market import HOUR_MS, generate

CANDLES = generate(50, seed=3)


def test_it_looks_exactly_one_horizon_ahead():
    labels = forward_labels(CANDLES, horizon_bars=4, interval_ms=HOUR_MS)

    assert len(labels.forward_return) == 46
    assert labels.forward_return[10] == CANDLES.close[14] / CANDLES.close[10] - 1.0
    assert labels.start_ms[10] == CANDLES.open_time_ms[10] + HOUR_MS
    assert labels.end_ms[10] == CANDLES.open_time_ms[14] + HOUR_MS


def test_it_marks_labels_that_cross_a_gap():
    labels = forward_labels(CANDLES.without(20), horizon_bars=4, interval_ms=HOUR_MS)

    assert np.flatnonzero(~labels.is_complete).tolist() == [16, 17, 18, 19]


def test_it_has_no_labels_where_the_future_is_not_known():
    labels = forward_labels(CANDLES.cut(None, 4), horizon_bars=4, interval_ms=HOUR_MS)

    assert len(labels.forward_return) == 0


def test_it_refuses_a_horizon_of_nothing():
    with pytest.raises(ValueError, match="horizon_bars"):
        forward_labels(CANDLES, horizon_bars=0, interval_ms=HOUR_MS)


def walk(path, *, low=None, high=None):
    close = np.array(path, float)
    times = np.arange(len(close), dtype=np.int64) * HOUR_MS
    return replace(
        CANDLES.cut(None, len(close)),
        open_time_ms=times,
        close=close,
        low=close if low is None else np.array(low, float),
        high=close if high is None else np.array(high, float),
    )


EXITS = LabelSpec(kind=LabelKind.EXITS, horizon_bars=3, take_profit=0.05, stop_loss=0.02)


def label(candles, spec=EXITS, sigma=0.01):
    return make_labels(candles, spec, interval_ms=HOUR_MS, sigma=np.full(len(candles.close), sigma))


@pytest.mark.parametrize(
    ("path", "touched", "expected", "bars"),
    [
        ([100, 101, 106, 90], 1, 0.05, 2),
        ([100, 99, 97, 120], -1, -0.02, 2),
        ([100, 101, 102, 103], 0, 0.03, 3),
        ([100, 105, 90, 90], 1, 0.05, 1),
    ],
)
def test_it_ends_a_label_at_the_first_exit(path, touched, expected, bars):
    found = label(walk(path))

    assert (found.touched[0], found.end_ms[0] - found.start_ms[0]) == (touched, bars * HOUR_MS)
    assert found.forward_return[0] == pytest.approx(expected)


def test_it_takes_the_stop_when_a_candle_spans_both_exits():
    found = label(walk([100, 100, 100, 100], low=[100, 97, 100, 100], high=[100, 106, 100, 100]))

    assert (found.touched[0], found.forward_return[0]) == (-1, -0.02)


def test_it_scales_barriers_by_the_volatility_known_at_the_close():
    spec = LabelSpec(kind=LabelKind.BARRIER, horizon_bars=4, width=1.5)

    found = label(walk([100, 100, 101.6, 100, 100]), spec, sigma=0.005)

    assert found.touched[0] == 1
    assert found.forward_return[0] == pytest.approx(1.5 * 0.005 * 2)


def test_it_marks_a_label_whose_exit_lies_behind_a_gap():
    candles = walk([100, 101, 101, 101, 106])
    gapped = replace(
        candles, open_time_ms=candles.open_time_ms + np.array([0, 0, 0, 1, 1]) * HOUR_MS
    )

    found = label(gapped)

    assert found.is_complete.tolist() == [False, False]


def test_it_says_what_came_of_one_close_as_training_would():
    candles = generate(60, seed=5)
    for spec in (
        LabelSpec(horizon_bars=12),
        LabelSpec(kind=LabelKind.EXITS, horizon_bars=12, take_profit=0.01, stop_loss=0.01),
        LabelSpec(kind=LabelKind.BARRIER, horizon_bars=12, width=0.5),
    ):
        trained = label(candles, spec, sigma=0.006)
        live = realized(
            candles.cut(20, 33),
            spec,
            interval_ms=HOUR_MS,
            horizon_sigma=0.006 * np.sqrt(12),
        )

        assert live == pytest.approx(trained.forward_return[20], rel=1e-12)
    assert realized(candles.cut(20, 32), spec, interval_ms=HOUR_MS, horizon_sigma=0.01) is None


@pytest.mark.parametrize("name", ["width", "take_profit", "stop_loss", "horizon_bars"])
def test_it_refuses_labels_without_size(name):
    with pytest.raises(ValueError, match=name):
        LabelSpec(**{"horizon_bars": 3, name: 0})


def test_a_primary_rule_turns_the_label_round():
    """A short's target lies below, its stop above, and a fall is its gain."""
    candles = walk([100, 99, 94, 90])
    short = np.full(4, -1.0)

    sold = make_labels(candles, EXITS, interval_ms=HOUR_MS, sigma=np.full(4, 0.01), side=short)

    assert (sold.touched[0], sold.forward_return[0]) == (-1, pytest.approx(0.05))
    bought = label(candles)
    assert (bought.touched[0], bought.forward_return[0]) == (-1, pytest.approx(-0.02))
    live = realized(candles, EXITS, interval_ms=HOUR_MS, horizon_sigma=None, side=-1.0)
    assert live == pytest.approx(-0.05)


def test_the_stop_comes_first_for_a_short_too():
    candles = walk([100, 100, 100, 100], low=[100, 94, 100, 100], high=[100, 103, 100, 100])

    found = make_labels(
        candles, EXITS, interval_ms=HOUR_MS, sigma=np.full(4, 0.01), side=np.full(4, -1.0)
    )

    assert found.forward_return[0] == pytest.approx(-0.02)


def test_the_side_is_the_sign_of_a_column():
    spec = LabelSpec(horizon_bars=3, primary="rule")
    features = np.array([[1.0, -2.0], [1.0, 0.0], [1.0, 3.0]], np.float32)

    assert sides_of(spec, features, ["other", "rule"]).tolist() == [-1.0, 1.0, 1.0]
    assert sides_of(LabelSpec(horizon_bars=3), features, ["other", "rule"]) is None
    with pytest.raises(ValueError, match="label_primary 'rule'"):
        sides_of(spec, features, ["other", "another"])


def test_labels_from_before_primaries_are_those_of_today():
    assert "primary" not in LabelSpec(horizon_bars=3).to_json()
    spec = LabelSpec(horizon_bars=3, primary="ema_cross_24")
    assert LabelSpec.from_json(spec.to_json()) == spec
