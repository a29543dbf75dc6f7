import numpy as np
import pytest

from mlmodels.domain.conformal import NARROWEST, WIDEST, track_scale


def storm(seed, bars=6000):
    """Return GARCH-t returns and the volatility that a slow observer would know."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_t(5, bars) / np.sqrt(5 / 3)
    variance, returns = np.empty(bars), np.empty(bars)
    variance[0] = 1.0
    for bar in range(bars):
        if bar:
            variance[bar] = 0.02 + 0.1 * returns[bar - 1] ** 2 + 0.88 * variance[bar - 1]
        returns[bar] = np.sqrt(variance[bar]) * noise[bar]
    return returns


def covered(returns, *, is_adaptive, is_scaled=True):
    """Return which returns lay in a 90 % interval in units of the volatility then known."""
    squares = np.concatenate([[0.0], np.cumsum(returns**2)])
    known = np.sqrt((squares[48:-1] - squares[:-49]) / 48) if is_scaled else np.ones(5952)
    ratio = np.abs(returns[48:]) / known
    half = float(np.quantile(ratio[:1952], 0.9))
    scale, inside = 1.0, []
    for value in ratio[1952:]:
        inside.append(value <= half * scale)
        if is_adaptive:
            scale = track_scale(scale, inside[-1:])
    return np.array(inside)


def worst_500(inside):
    return np.convolve(inside, np.ones(500) / 500, "valid").min()


@pytest.mark.parametrize("seed", range(6))
def test_it_keeps_its_promise_in_storms(seed):
    returns = storm(seed)

    adaptive = covered(returns, is_adaptive=True)

    assert 0.88 <= adaptive.mean() <= 0.92
    assert worst_500(adaptive) >= 0.85
    assert abs(adaptive.mean() - 0.9) <= abs(covered(returns, is_adaptive=False).mean() - 0.9)


def test_it_does_better_than_an_interval_that_stays():
    static = [covered(storm(seed), is_adaptive=False, is_scaled=False) for seed in range(6)]

    assert min(worst_500(inside) for inside in static) < 0.8


def test_it_stays_within_bounds():
    assert track_scale(1.0, [False] * 1000) == WIDEST
    assert track_scale(1.0, [True] * 10_000) == NARROWEST
    assert track_scale(1.3, []) == pytest.approx(1.3)
