import numpy as np
import pytest

from markets.domain.technicals import (
    LOOKBACK,
    NAMES,
    SCORE_BARS,
    Score,
    bar_sigma,
    technical_scores,
)

MINUTES_5, HOUR = 300_000, 3_600_000


def score(
    close: np.ndarray,
    *,
    interval_ms: int = MINUTES_5,
    first: int = 0,
    times: np.ndarray | None = None,
) -> tuple[Score, ...]:
    """Return the scores of candles that begin `first` candles after midnight."""
    opens = (first + np.arange(len(close), dtype=np.int64)) * interval_ms
    return technical_scores(opens if times is None else times, close, interval_ms=interval_ms)


def walk(count: int, seed: int, drift: float = 0.0, sigma: float = 0.004) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(drift, sigma, count)
    return 100.0 * np.exp(np.cumsum(steps))


def scores(close: np.ndarray) -> dict[str, float]:
    return {found.name: found.score for found in score(close)}


def test_it_always_returns_the_same_factors_in_the_same_order() -> None:
    for count in (0, 1, LOOKBACK - 1, LOOKBACK, SCORE_BARS, 500):
        assert tuple(found.name for found in score(walk(count, seed=1))) == NAMES


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
    [ratio] = [factor.detail["ratio"] for factor in score(wild) if factor.name == "volatility"]
    assert ratio > 2


@pytest.mark.parametrize("seed", range(5))
def test_only_the_newest_candles_matter_to_the_bit(seed: int) -> None:
    close = walk(600, seed=seed)

    for end in (SCORE_BARS, 250, 599, 600):
        begin = end - SCORE_BARS
        short = score(close[begin:end].copy(), interval_ms=HOUR, first=begin)
        long = score(close[:end], interval_ms=HOUR)
        assert short == long


def test_the_future_changes_nothing() -> None:
    close = walk(300, seed=6)
    changed = close.copy()
    changed[200:] *= 3.0

    before = score(close[:200])
    after = score(changed[:200])

    assert before == after


@pytest.mark.parametrize("odd", [np.nan, np.inf, 0.0, -1.0])
def test_it_says_nothing_about_numbers_that_are_no_prices(odd: float) -> None:
    close = walk(200, seed=7)
    close[-5] = odd

    assert not any(found.is_measured or found.score for found in score(close))
    assert bar_sigma(close) is None


def test_it_says_nothing_about_a_flat_market() -> None:
    close = np.full(200, 42.0)

    assert all(score == 0.0 for score in scores(close).values())
    assert bar_sigma(close) is None


def test_it_survives_a_single_step_in_a_flat_market() -> None:
    close = np.full(200, 42.0)
    close[-3:] = 43.0

    assert all(-1.0 <= score <= 1.0 for score in scores(close).values())


def test_a_flat_end_after_movement_is_finite() -> None:
    close = walk(200, seed=8)
    close[-40:] = close[-40]

    assert all(-1.0 <= score <= 1.0 for score in scores(close).values())


RISE, FALL = 0.004, -0.004


def agreement(close: np.ndarray, **given: object) -> Score:
    return score(close, **{"interval_ms": HOUR, **given})[-1]


def test_it_says_what_all_lengths_agree_on() -> None:
    rise, fall = (agreement(walk(300, seed=10, drift=drift)) for drift in (RISE, FALL))

    assert rise.score > 0.3
    assert fall.score < -0.3
    assert set(rise.detail) == {"minutes_240", "minutes_1440"}
    assert rise.score <= min(rise.detail.values())


def test_it_says_nothing_where_lengths_disagree() -> None:
    rise, fall = walk(250, seed=11, drift=RISE), walk(50, seed=11, drift=1.5 * FALL)
    close = np.concatenate([rise, fall / fall[0] * rise[-1]])

    found = agreement(close)

    assert found.is_measured
    assert found.detail["minutes_1440"] > 0 > found.detail["minutes_240"]
    assert found.score == 0.0


def test_longer_candles_count_as_of_their_close() -> None:
    """Within a four-hour candle nothing that is not closed may speak for it."""
    close = walk(240, seed=12, drift=RISE)
    at_close = agreement(close)
    beside = [agreement(np.append(close, close[-1] * factor)) for factor in (0.9, 1.1)]

    assert [found.detail for found in beside] == [at_close.detail] * 2


@pytest.mark.parametrize(
    ("interval_ms", "lengths"),
    [
        (60_000, {"minutes_5", "minutes_15"}),
        (MINUTES_5, {"minutes_15", "minutes_60"}),
        (900_000, {"minutes_60", "minutes_240"}),
        (4 * HOUR, {"minutes_1440"}),
        (24 * HOUR, set()),
    ],
)
def test_it_looks_at_the_next_two_lengths(interval_ms: int, lengths: set[str]) -> None:
    assert set(agreement(walk(400, seed=13), interval_ms=interval_ms).detail) == lengths


def test_it_measures_no_agreement_with_too_little_history_or_a_gap() -> None:
    close = walk(300, seed=14, drift=RISE)
    times = np.arange(300, dtype=np.int64) * HOUR
    whole = np.delete(np.arange(300), 239)  # the candle that ends a day

    assert agreement(close, times=times).is_measured
    assert not agreement(close[:180]).is_measured
    assert not agreement(close[whole], times=times[whole]).is_measured


@pytest.mark.parametrize("seed", range(20))
def test_its_deviation_has_the_bits_of_the_definition(seed: int) -> None:
    close = walk(LOOKBACK, seed, sigma=10.0 ** -(seed % 5 + 1))

    assert bar_sigma(close) == np.std(np.diff(np.log(close)))
