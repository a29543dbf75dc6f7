"""The tape inside a candle: prints that walk open, extremes, close and sum to its volume."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simexchange.market.bars import CLOSE, COUNT, HIGH, LOW, OPEN, TAKER, VOLUME, Floats, Ints
from simexchange.market.intervals import HOUR_MS, INTERVAL_MS, MINUTE_MS

Bools = NDArray[np.bool_]

MOST_PRINTS, SHORT_PRINTS = 60, 8
"""Prints of a minute, and of what is shorter; a candle of fewer trades has fewer."""
WIGGLE = 0.35
"""Size of the detours between the turning points, as a fraction of the candle's range."""


def prints_per_candle(interval: str) -> int:
    """Return how many prints a candle of the base interval is given at most."""
    length_ms = INTERVAL_MS[interval]
    if length_ms <= MINUTE_MS:
        return MOST_PRINTS if length_ms == MINUTE_MS else SHORT_PRINTS
    if length_ms < HOUR_MS:
        return 60
    return 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """Prints of several candles, each array of shape (candles, prints).

    `time_ms` counts from the candle's open; `units` are volume units; `count` says for how many
    of the source's trades a print stands; only prints where `valid` is True count.
    """

    time_ms: Ints
    ticks: Ints
    units: Ints
    count: Ints
    is_buyer_maker: Bools
    valid: Bools


def draw_tape(
    rows: Ints, *, length_ms: int, prints: int, step_units: Ints, rng: np.random.Generator
) -> Tape:
    """Return the prints of candles: first at the open, touching the extremes, last at the close.

    A candle gets as many prints as it has trades, at least 4 and at most `prints`. Their
    quantities sum to its volume and those of the buyers to its taker volume, exactly wherever the
    candle has a unit for each print.

    Args:
        rows: the candles, shape (n, 9).
        length_ms: length of a candle.
        prints: most prints per candle, at least 4.
        step_units: volume units in one step per candle, shape (n,).
        rng: seeded for these candles.

    Returns:
        Prints ascending in time, every price within low..high.
    """
    shape = (len(rows), prints)
    counts = np.clip(rows[:, COUNT], 4, prints)
    valid = np.arange(prints) < counts[:, None]
    time_ms = rng.integers(0, length_ms, size=shape)
    time_ms[:, 0] = 0
    time_ms = np.sort(np.where(valid, time_ms, length_ms), axis=1)
    ticks = _walk(rows, counts, prints, rng)
    bought = _taker_buys(ticks, rows, counts, valid, rng)
    weights = rng.standard_exponential(shape) + 0.05
    sold = valid & ~bought
    from_sellers = rows[:, VOLUME] - rows[:, TAKER]
    scarce = (rows[:, TAKER] // step_units < bought.sum(axis=1)) | (
        from_sellers // step_units < sold.sum(axis=1)
    )
    step = np.where(scarce, 1, step_units)
    units = _split(rows[:, TAKER], step, bought, weights)
    units += _split(from_sellers, step, sold, weights)
    return Tape(
        time_ms=time_ms,
        ticks=ticks,
        units=units,
        count=_shares(rows[:, COUNT], counts, prints),
        is_buyer_maker=~bought,
        valid=valid,
    )


def _walk(rows: Ints, counts: Ints, prints: int, rng: np.random.Generator) -> Ints:
    candles = len(rows)
    first = rng.integers(1, counts // 2)
    second = rng.integers(counts // 2, counts - 1)
    rising = rows[:, CLOSE] >= rows[:, OPEN]
    low_first = rng.random(candles) < np.where(rising, 0.65, 0.35)
    anchors = np.stack([np.zeros_like(first), first, second, counts - 1], 1)
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
    path = _bridge(place, leg, anchors, values, rng.standard_normal((candles, prints)))
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


def _split(total: Ints, step: Ints, member: Bools, weights: Floats) -> Ints:
    """Split totals (n,) over their members (n, prints): one step each, the rest by weight."""
    place = np.arange(len(total))
    counted = member.sum(axis=1)
    steps = total // step
    share = np.where(member, weights, 0.0)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    whole = np.floor(share * np.maximum(0, steps - counted)[:, None]).astype(np.int64) + member
    last = member.shape[1] - 1 - np.argmax(member[:, ::-1], axis=1)
    has = counted > 0
    whole[place, last] += np.where(has, np.maximum(0, steps - whole.sum(axis=1)), 0)
    units = whole * step[:, None]
    units[place, last] += np.where(has, total - steps * step, 0)
    return np.asarray(units, dtype=np.int64)


def _shares(count: Ints, counts: Ints, prints: int) -> Ints:
    """Split trade counts evenly, every print standing for at least one."""
    borders = np.arange(prints + 1)[None, :] * count[:, None] // counts[:, None]
    return np.asarray(np.maximum(1, np.diff(borders, axis=1)), dtype=np.int64)


def _taker_buys(
    ticks: Ints, rows: Ints, counts: Ints, valid: Bools, rng: np.random.Generator
) -> Bools:
    """Choose as many prints for buyers as their share of the volume asks, upticks first."""
    moves = np.sign(np.diff(ticks, axis=1, prepend=ticks[:, :1]))
    eager = np.where(valid, moves + 1.5 * rng.standard_normal(ticks.shape), -np.inf)
    rank = np.argsort(np.argsort(-eager, axis=1, kind="stable"), axis=1, kind="stable")
    taker, volume = rows[:, TAKER], rows[:, VOLUME]
    wanted = np.rint(counts * taker / np.maximum(1, volume)).astype(np.int64)
    wanted = np.clip(wanted, taker > 0, counts - (taker < volume))
    return np.asarray(valid & (rank < wanted[:, None]), dtype=np.bool_)
