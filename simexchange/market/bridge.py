"""The tape inside a candle: prints that walk open, extremes, close and sum to its volume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simexchange.market.bars import CLOSE, COUNT, HIGH, LOW, OPEN, TAKER, VOLUME, Bar, Floats, Ints
from simexchange.market.intervals import HOUR_MS, INTERVAL_MS, MINUTE_MS

WIGGLE = 0.35
"""Size of the detours between the turning points, as a fraction of the candle's range."""


def prints_per_candle(interval: str) -> int:
    """Return how many prints a candle of the base interval is given."""
    length_ms = INTERVAL_MS[interval]
    if length_ms <= MINUTE_MS:
        return 40
    if length_ms < HOUR_MS:
        return 60
    return 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """Prints of one candle of several symbols, each array of shape (symbols, prints).

    `time_ms` counts from the candle's open; `units` are volume units; `count` says for how many
    of the source's trades a print stands.
    """

    time_ms: Ints
    ticks: Ints
    units: Ints
    count: Ints
    is_buyer_maker: NDArray[np.bool_]


def draw_tape(
    bar: Bar, *, length_ms: int, prints: int, step_units: Ints, rng: np.random.Generator
) -> Tape:
    """Return the prints of a candle: first at its open, touching its extremes, last at its close.

    Args:
        bar: the candles, one row per symbol.
        length_ms: length of the candle.
        prints: prints per symbol, at least 4.
        step_units: volume units in one step per symbol, shape (symbols,).
        rng: seeded for this candle.

    Returns:
        Prints ascending in time, every price within low..high, every quantity on the step.
    """
    symbols = len(bar.rows)
    shape = (symbols, prints)
    time_ms = np.sort(rng.integers(0, length_ms, size=shape), axis=1)
    time_ms[:, 0] = 0
    ticks = _walk(bar.rows, prints, rng)
    units = _quantities(bar.rows[:, VOLUME], step_units, shape, rng)
    return Tape(
        time_ms=time_ms,
        ticks=ticks,
        units=units,
        count=_shares(bar.rows[:, COUNT], prints),
        is_buyer_maker=~_taker_buys(ticks, units, bar.rows, rng),
    )


def _walk(rows: Ints, prints: int, rng: np.random.Generator) -> Ints:
    symbols = len(rows)
    first = rng.integers(1, prints // 2, size=symbols)
    second = rng.integers(prints // 2, prints - 1, size=symbols)
    rising = rows[:, CLOSE] >= rows[:, OPEN]
    low_first = rng.random(symbols) < np.where(rising, 0.65, 0.35)
    anchors = np.stack([np.zeros_like(first), first, second, np.full_like(first, prints - 1)], 1)
    values = np.stack(
        [
            rows[:, OPEN],
            np.where(low_first, rows[:, LOW], rows[:, HIGH]),
            np.where(low_first, rows[:, HIGH], rows[:, LOW]),
            rows[:, CLOSE],
        ],
        1,
    ).astype(np.float64)
    place = np.arange(prints)
    leg = (place >= first[:, None]).astype(np.int64) + (place >= second[:, None])
    path = _bridge(place, leg, anchors, values, rng.standard_normal((symbols, prints)))
    clipped = np.clip(np.rint(path).astype(np.int64), rows[:, LOW, None], rows[:, HIGH, None])
    np.put_along_axis(clipped, anchors, values.astype(np.int64), axis=1)
    return np.asarray(clipped, dtype=np.int64)


def _bridge(place: Ints, leg: Ints, anchors: Ints, values: Floats, noise: Floats) -> Floats:
    """Return straight legs between the anchors plus a random walk tied down at each of them."""
    start = np.take_along_axis(anchors, leg, axis=1)
    end = np.take_along_axis(anchors, leg + 1, axis=1)
    share = (place - start) / np.maximum(1, end - start)
    from_value = np.take_along_axis(values, leg, axis=1)
    to_value = np.take_along_axis(values, leg + 1, axis=1)
    reach = values.max(axis=1, keepdims=True) - values.min(axis=1, keepdims=True)
    walk = np.cumsum(noise, axis=1) * reach * WIGGLE / np.sqrt(len(place))
    walk_start = np.take_along_axis(walk, start, axis=1)
    walk_end = np.take_along_axis(walk, end, axis=1)
    detour = walk - walk_start - (walk_end - walk_start) * share
    return np.asarray(from_value + (to_value - from_value) * share + detour, dtype=np.float64)


def _quantities(
    volume: Ints, step_units: Ints, shape: tuple[int, int], rng: np.random.Generator
) -> Ints:
    """Split each volume into steps; a print that would get none gets one."""
    weights = rng.standard_exponential(shape) + 0.05
    steps = volume // step_units
    split = np.floor(weights / weights.sum(axis=1, keepdims=True) * steps[:, None])
    whole = split.astype(np.int64)
    whole[:, -1] += steps - whole.sum(axis=1)
    return np.asarray(np.maximum(whole, 1) * step_units[:, None], dtype=np.int64)


def _shares(count: Ints, prints: int) -> Ints:
    """Split trade counts evenly, every print standing for at least one."""
    borders = np.arange(prints + 1)[None, :] * count[:, None] // prints
    return np.asarray(np.maximum(1, np.diff(borders, axis=1)), dtype=np.int64)


def _taker_buys(
    ticks: Ints, units: Ints, rows: Ints, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose prints for buyers, upticks first, until they hold the candle's taker-buy share."""
    moves = np.sign(np.diff(ticks, axis=1, prepend=ticks[:, :1]))
    order = np.argsort(-(moves + 1.5 * rng.standard_normal(ticks.shape)), axis=1, kind="stable")
    bought = np.cumsum(np.take_along_axis(units, order, axis=1), axis=1)
    share = rows[:, TAKER] / np.maximum(1, rows[:, VOLUME])
    half_print = np.take_along_axis(units, order, axis=1) / 2
    chosen = bought - half_print <= share[:, None] * bought[:, -1:]
    result = np.empty(ticks.shape, dtype=np.bool_)
    np.put_along_axis(result, order, chosen, axis=1)
    return result
