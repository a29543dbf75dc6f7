"""One closed candle of every symbol as a row of integers, and what a source of them offers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simexchange.market.grid import Grid

if TYPE_CHECKING:
    from simexchange.market.rows import CandleRows

OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE, FIRST_ID = range(10)
SOURCE_COLUMNS = 9
"""Prices in ticks, volumes in units, quote volumes in quote units, all of the symbol's `Grid`."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The candles of all symbols that open at one moment.

    `rows` has shape (symbols, 9); `present` is False where a symbol has no candle then.
    `spread_ticks` and `depth` (a factor, 1.0 is usual) shape the ladder while it lasts.
    """

    open_ms: int
    rows: Ints
    present: NDArray[np.bool_]
    spread_ticks: Ints
    depth: Floats


class Source(Protocol):
    """Where candles come from. Everything it says is a function of its settings and seed."""

    symbols: tuple[str, ...]
    grids: dict[str, Grid]
    interval: str
    start_ms: int
    seed: int
    own_trades_move_range: bool
    """False for replay: a user's own trades then add volume and leave O/H/L/C as in the file."""
    tape_is_whole: bool
    """True when the prints of a candle are all its trades: quote volume and count are theirs."""

    def candle_rows(self, symbol: str) -> "tuple[CandleRows, int]":
        """Hand over the symbol's rows and how many of them closed before `start_ms`.

        Later rows may follow them. Whoever asks owns the rows; they are asked for once.
        """

    def bar_at(self, open_ms: int) -> Bar:
        """Return the candles that open at `open_ms`; asked for in ascending order."""

    def describe(self, symbol: str) -> dict[str, Any]:
        """Return the provenance of a symbol's prices."""

    def signature(self) -> dict[str, Any]:
        """Return what a snapshot must agree with."""


def spread_for(ticks: Ints, spread_bps: Floats | float) -> Ints:
    """Return a spread in ticks, at least one, for prices in ticks."""
    wanted: Ints = np.rint(ticks * spread_bps / 10_000.0).astype(np.int64)
    return np.maximum(wanted, 1)
