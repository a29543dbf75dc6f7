import json

import numpy as np
import pytest

from execution.domain.signals import USUAL_WEIGHTS, most_pull, technical_factors, weigh
from markets.domain.technicals import NAMES
from markets.domain.windows import Window

HOUR = 3_600_000


def factors_of(count: int = 300):
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(9).normal(0.0, 0.004, count)))
    window = Window(
        open_time_ms=np.arange(count, dtype=np.int64) * HOUR,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=np.ones(count),
        quote_volume=close,
        taker_buy_base=np.ones(count),
    )
    return technical_factors(window, interval_ms=HOUR)


def weights(factors):
    return {factor.name: factor.weight for factor in factors}


def test_each_score_becomes_a_factor_and_volatility_has_no_direction():
    assert weights(factors_of()) == {**USUAL_WEIGHTS, "volatility": 0.0}


def test_what_was_not_measured_has_no_weight():
    assert set(weights(factors_of(50)).values()) == {0.0}
    assert weights(factors_of(120))["trend"] == 0.1
    assert weights(factors_of(120))["agreement"] == 0.0


def test_fitted_weights_take_the_place_of_the_usual_ones():
    fitted = {"trend": 0.3, "momentum": 0.0, "mean_reversion": 0.02, "agreement": 0.1}

    assert weights(weigh(factors_of(), fitted)) == {**fitted, "volatility": 0.0}
    assert weigh(factors_of(), None) == factors_of()
    assert set(weights(weigh(factors_of(50), fitted)).values()) == {0.0}


def test_a_score_that_was_not_fitted_has_no_weight():
    assert weights(weigh(factors_of(), {"trend": 0.2})) == {
        **dict.fromkeys(NAMES, 0.0),
        "trend": 0.2,
    }


def test_it_knows_how_far_factors_can_move_a_decision():
    assert most_pull(None) == pytest.approx(0.3)
    assert most_pull({"trend": 0.5, "unheard_of": 9.0}) == 0.5


def test_it_can_be_stored_as_strict_json():
    text = json.dumps([factor.to_json() for factor in factors_of()], allow_nan=False)

    assert tuple(item["name"] for item in json.loads(text)) == NAMES
