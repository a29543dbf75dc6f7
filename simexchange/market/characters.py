"""Regimes a generated symbol can be held in, instead of the weather's changing ones.

Each turns the block's moves of the symbol into its own; what it draws comes from the symbol's own
generator, so that neighbours change nothing.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simexchange.market.bars import Floats

MIXED, PLANTED, NOISE = "mixed", "planted", "noise"
TREND_DRIFT = 0.08
"""Drift per minute of a trend's leg, relative to the minute's volatility."""
RANGE_HALF_LIFE_MINUTES = 45.0
FLAT_VOLATILITY = 0.02
CRASH_FALL = (0.06, 0.12)
CRASH_MINUTES, CRASH_BACK_MINUTES = 12, 150
CRASH_VOLATILITY = 3.0
GAP_MINUTES = (10, 40)
GAP_JUMP = 0.015

Bools = NDArray[np.bool_]


@dataclass(slots=True)
class Moves:
    """One symbol's block of minutes: log moves, their deviation, and which minutes trade.

    Attributes:
        walked: log return of each minute, shape (minutes,).
        deviation: deviation of each minute's return, same shape.
        jump: what the minute's open jumps by, same shape.
        busy: volume factor, same shape.
        present: False where no candle is made.
    """

    walked: Floats
    deviation: Floats
    jump: Floats
    busy: Floats
    present: Bools


Shape = Callable[[Moves, np.random.Generator], None]


def _noise(moves: Moves, rng: np.random.Generator) -> None:
    del moves, rng


def _trend(moves: Moves, rng: np.random.Generator) -> None:
    """Give the block one direction: legs of four hours, up or down."""
    direction = 1.0 if rng.random() < 0.5 else -1.0
    moves.walked += direction * TREND_DRIFT * moves.deviation
    moves.jump[:] = 0.0


def _range(moves: Moves, rng: np.random.Generator) -> None:
    """Pull the price back to where the block began; it ends there again."""
    del rng
    keep = 2.0 ** (-1.0 / RANGE_HALF_LIFE_MINUTES)
    level, path = 0.0, np.empty(len(moves.walked))
    for minute, move in enumerate(moves.walked.tolist()):
        level = level * keep + move
        path[minute] = level
    path -= np.linspace(0.0, 1.0, len(path) + 1)[1:] * path[-1]
    moves.walked[:] = np.diff(path, prepend=0.0)
    moves.jump[:] = 0.0


def _flat(moves: Moves, rng: np.random.Generator) -> None:
    del rng
    moves.walked *= FLAT_VOLATILITY
    moves.deviation *= FLAT_VOLATILITY
    moves.jump[:] = 0.0
    moves.busy *= 0.2


def _crash(moves: Moves, rng: np.random.Generator) -> None:
    """Fall hard within minutes once a block, then win it back slowly."""
    minutes = len(moves.walked)
    at = int(rng.integers(10, minutes - CRASH_MINUTES - CRASH_BACK_MINUTES))
    fall = math.log1p(-rng.uniform(*CRASH_FALL))
    down, back = slice(at, at + CRASH_MINUTES), at + CRASH_MINUTES
    moves.walked[down] += fall / CRASH_MINUTES
    moves.walked[back : back + CRASH_BACK_MINUTES] -= fall / CRASH_BACK_MINUTES
    for column in (moves.deviation, moves.busy):
        column[at : back + CRASH_MINUTES] *= CRASH_VOLATILITY
    moves.jump[:] = 0.0


def _gap(moves: Moves, rng: np.random.Generator) -> None:
    """Trade not at all for a while, and go on at another price."""
    long = int(rng.integers(*GAP_MINUTES))
    at = int(rng.integers(10, len(moves.walked) - long - 10))
    moves.present[at : at + long] = False
    moves.walked[at : at + long] = 0.0
    moves.jump[:] = 0.0
    moves.jump[at + long] = rng.standard_normal() * GAP_JUMP


CHARACTERS: dict[str, Shape] = {
    MIXED: _noise,
    PLANTED: _noise,
    NOISE: _noise,
    "trend": _trend,
    "range": _range,
    "crash": _crash,
    "flat": _flat,
    "gap": _gap,
}
SHAPED = frozenset(CHARACTERS) - {MIXED, PLANTED, NOISE}


def read_characters(text: str, symbols: Iterable[str]) -> dict[str, str]:
    """Return each named symbol's character from ``NAME`` or ``SYMBOL=NAME,SYMBOL=NAME``.

    Raises:
        ValueError: on an unknown name or symbol.
    """
    known = tuple(symbols)
    chosen: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        symbol, equals, name = part.rpartition("=")
        if name not in CHARACTERS:
            raise ValueError(f"--regime is one of {', '.join(CHARACTERS)}, was {name!r}")
        if equals and symbol not in known:
            raise ValueError(f"--regime names {symbol!r}, the symbols are {', '.join(known)}")
        chosen.update({symbol: name} if equals else dict.fromkeys(known, name))
    return chosen
