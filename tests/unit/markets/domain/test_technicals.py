import json

import numpy as np
import pytest

from execution.domain.signals import LOOKBACK, bar_sigma, technical_factors
from markets.domain.windows import Window

NAMES = ["trend", "momentum", "mean_reversion", "volatility"]


def window_of_closes(close: np.ndarray) -> Window:
    count = close.shape[0]
    return Window(
        open_time_ms=np.arange(count, dtype=np.int64) * 300_000,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=np.ones(count),
        quote_volume=close,
        taker_buy_base=np.ones(count),
    )


def walk(count: int, seed: int, drift: float = 0.0, sigma: float = 0.004) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(drift, sigma, count)
    return 100.0 * np.exp(np.cumsum(steps))


def scores(close: np.ndarray) -> dict[str, float]:
    return {factor.name: factor.score for factor in technical_factors(window_of_closes(close))}


def test_it_always_returns_the_same_factors_in_the_same_order() -> None:
    for count in (0, 1, LOOKBACK - 1, LOOKBACK, 500):
        factors = technical_factors(window_of_closes(walk(count, seed=1)))
        assert [factor.name for factor in factors] == NAMES


def test_it_sees_a_rise_and_a_fall() -> None:
    rise, fall = scores(walk(200, seed=2, drift=0.004)), scores(walk(200, seed=2, drift=-0.004))

    for name in ("trend", "momentum"):
        assert rise[name] > 0.5
        assert fall[name] < -0.5
    assert rise["mean_reversion"] < 0 < fall["mean_reversion"]


def test_it_sees_volatility_rise() -> None:
    calm, wild = walk(150, seed=3), walk(150, seed=3)
    wild[-12:] *= np.exp(np.tile([0.05, -0.05], 6))

    assert scores(wild)["volatility"] < scores(calm)["volatility"]
    [ratio] = [
        factor.detail["ratio"]
        for factor in technical_factors(window_of_closes(wild))
        if factor.name == "volatility"
    ]
    assert ratio > 2


def test_volatility_has_no_direction() -> None:
    factors = technical_factors(window_of_closes(walk(150, seed=4)))

    assert [factor.weight for factor in factors][-1] == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_only_the_lookback_matters_to_the_bit(seed: int) -> None:
    close = walk(600, seed=seed)

    for end in (LOOKBACK, 250, 599, 600):
        short = technical_factors(window_of_closes(close[end - LOOKBACK : end].copy()))
        long = technical_factors(window_of_closes(close[:end]))
        assert short == long


def test_the_future_changes_nothing() -> None:
    close = walk(300, seed=6)
    changed = close.copy()
    changed[200:] *= 3.0

    before = technical_factors(window_of_closes(close[:200]))
    after = technical_factors(window_of_closes(changed[:200]))

    assert before == after


@pytest.mark.parametrize("odd", [np.nan, np.inf, 0.0, -1.0])
def test_it_says_nothing_about_numbers_that_are_no_prices(odd: float) -> None:
    close = walk(200, seed=7)
    close[-5] = odd

    factors = technical_factors(window_of_closes(close))

    assert all((factor.score, factor.weight) == (0.0, 0.0) for factor in factors)
    assert bar_sigma(window_of_closes(close)) is None


def test_it_says_nothing_about_a_flat_market() -> None:
    close = np.full(200, 42.0)

    assert all(score == 0.0 for score in scores(close).values())
    assert bar_sigma(window_of_closes(close)) is None


def test_it_survives_a_single_step_in_a_flat_market() -> None:
    close = np.full(200, 42.0)
    close[-3:] = 43.0

    assert all(-1.0 <= score <= 1.0 for score in scores(close).values())


def test_a_flat_end_after_movement_is_finite() -> None:
    close = walk(200, seed=8)
    close[-40:] = close[-40]

    assert all(-1.0 <= score <= 1.0 for score in scores(close).values())


def test_it_can_be_stored_as_strict_json() -> None:
    factors = technical_factors(window_of_closes(walk(200, seed=9)))

    text = json.dumps([factor.to_json() for factor in factors], allow_nan=False)

    assert [item["name"] for item in json.loads(text)] == NAMES
