import numpy as np
import pytest

from mlmodels.domain.labels import forward_labels
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
