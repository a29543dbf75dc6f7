"""What else could have happened: shuffled trades and resampled days, from one seeded generator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from execution.backtest.measures import Floats

_LEVELS = (5, 25, 50, 75, 95)
_CELLS = 2_000_000  # numbers in memory at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a figure is spread over the runs: its 5, 25, 50, 75 and 95 % quantiles."""

    runs: int
    quantiles: tuple[float, ...]

    @classmethod
    def of(cls, values: Floats) -> "Spread":
        return cls(
            runs=len(values), quantiles=tuple(float(q) for q in np.percentile(values, _LEVELS))
        )


def shuffle_trades(
    pnl: Floats, *, start: float, runs: int, rng: np.random.Generator
) -> Spread | None:
    """Return the deepest drawdown (fraction) of the same trades in other orders.

    Args:
        pnl: Per trade, quote units.
        start: Equity before the first.
        runs: How many orders.
        rng: Seeded.

    Returns:
        None with fewer than 2 trades: there is no other order.
    """
    if len(pnl) < 2:
        return None
    deepest = []
    for count in _batches(runs, len(pnl)):
        orders = rng.permuted(np.tile(pnl, (count, 1)), axis=1)
        deepest.append(_deepest(start + np.cumsum(orders, axis=1), start))
    return Spread.of(np.concatenate(deepest))


def resample_days(
    returns: Floats, *, runs: int, mean_block: float, rng: np.random.Generator
) -> tuple[Spread, Spread] | None:
    """Return total return and deepest drawdown of days drawn anew in blocks.

    Blocks have random lengths, so that quiet and wild times stay together. Source: Politis and
    Romano 1994, "The Stationary Bootstrap".

    Args:
        returns: Per day, fractions.
        runs: How many histories to draw.
        mean_block: Mean length of a block, days, at least 1.
        rng: Seeded.

    Returns:
        None with fewer than 10 days: too few to draw from.
    """
    days = len(returns)
    if days < 10:
        return None
    totals, deepest = [], []
    for count in _batches(runs, days):
        drawn = returns[_places(count, days, mean_block, rng)]
        paths: Floats = np.cumprod(1.0 + drawn, axis=1, dtype=np.float64)
        totals.append(paths[:, -1] - 1.0)
        deepest.append(_deepest(paths, 1.0))
    return Spread.of(np.concatenate(totals)), Spread.of(np.concatenate(deepest))


def lowest_mean(
    values: Floats, *, runs: int, rng: np.random.Generator, level: float = 5.0
) -> float | None:
    """Return the lower `level` % bound of the mean by resampling; None with fewer than 10."""
    if len(values) < 10:
        return None
    means = [
        values[rng.integers(0, len(values), (count, len(values)))].mean(axis=1)
        for count in _batches(runs, len(values))
    ]
    return float(np.percentile(np.concatenate(means), level))


def chance_of_random_entries(
    closes: Sequence[Floats],
    held: Sequence[npt.NDArray[np.int64]],
    *,
    earned: float,
    runs: int,
    rng: np.random.Generator,
) -> float | None:
    """Return how often entries at random moments earn as much as the rule's; None without trades.

    Each random trade is held as many candles as one of the rule's, in the same symbol, so that the
    market's drift and the holding times are the same and only the moments differ.

    Args:
        closes: Per symbol, its closes in the replay, shape (n,).
        held: Per symbol, the candles that each trade was held, shape (trades,).
        earned: Mean return of the rule's trades without costs, fraction.
        runs: How many sets of entries to draw.
        rng: Seeded.
    """
    total = np.zeros(runs)
    count = 0
    for close, bars in zip(closes, held, strict=True):
        fitting = bars[bars < len(close)]
        if not len(fitting):
            continue
        count += len(fitting)
        done = 0
        for batch in _batches(runs, len(fitting)):
            starts = (rng.random((batch, len(fitting))) * (len(close) - fitting)).astype(np.int64)
            total[done : done + batch] += (close[starts + fitting] / close[starts] - 1.0).sum(
                axis=1
            )
            done += batch
    if not count:
        return None
    # The rule's own set counts as one of those that could have been drawn.
    return float((np.sum(total / count >= earned) + 1) / (runs + 1))


def _places(
    count: int, days: int, mean_block: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return rows of days: each the next one, or with chance 1 / mean_block any other."""
    starts = rng.integers(0, days, (count, days))
    is_new = rng.random((count, days)) < 1.0 / max(mean_block, 1.0)
    is_new[:, 0] = True
    columns = np.arange(days)
    since = np.maximum.accumulate(np.where(is_new, columns, 0), axis=1)
    return (np.take_along_axis(starts, since, axis=1) + columns - since) % days


def _deepest(paths: Floats, start: float) -> Floats:
    high = np.maximum(np.maximum.accumulate(paths, axis=1), start)
    return np.asarray(((high - paths) / high).max(axis=1))


def _batches(runs: int, width: int) -> list[int]:
    size = max(1, _CELLS // width)
    return [min(size, runs - done) for done in range(0, runs, size)]
