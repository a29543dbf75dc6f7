"""What of a market cannot be made again from its source, and how it comes back."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simexchange.market.bars import (
    CLOSE,
    COUNT,
    QUOTE,
    SOURCE_COLUMNS,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
    Bar,
    Ints,
    Source,
)
from simexchange.market.symbolstate import SymbolState

VOLUMES = (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE)


@dataclass(slots=True)
class Traces:
    """What users and scripts left on a symbol.

    Attributes:
        factor: market price per source price.
        next_id: id of the next print.
        touched: closed candles that differ from the source's, by open time.
        running_ms: open time of the candle that ran then; `factor` holds from there on.
        extra: what users and scripts added to it, by source column.
    """

    factor: float = 1.0
    next_id: int = 1
    touched: dict[int, list[int]] = field(default_factory=dict)
    running_ms: int = 0
    extra: list[int] = field(default_factory=lambda: [0] * SOURCE_COLUMNS)

    def as_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return {
            "factor": self.factor,
            "next_id": self.next_id,
            "touched": [[open_ms, *row] for open_ms, row in sorted(self.touched.items())],
            "running_ms": self.running_ms,
            "extra": self.extra,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Traces":
        """Return what `as_json` gave away."""
        return cls(
            factor=float(data["factor"]),
            next_id=int(data["next_id"]),
            touched={int(row[0]): [int(cell) for cell in row[1:]] for row in data["touched"]},
            running_ms=int(data["running_ms"]),
            extra=[int(cell) for cell in data["extra"]],
        )


def check_signature(source: Source, data: dict[str, Any]) -> None:
    """Refuse the snapshot of another source.

    Raises:
        ValueError: with what differs.
    """
    ours, theirs = source.signature(), data["source"]
    if ours != theirs:
        differs = sorted(k for k in ours | theirs if ours.get(k) != theirs.get(k))
        raise ValueError(f"the snapshot is of another market: {', '.join(differs)} differ")


def pass_over(state: SymbolState, traces: Traces, bar: Bar, index: int) -> None:
    """Append a candle that closed before the clock's present, without playing it."""
    saved = traces.touched.get(bar.open_ms)
    if saved is not None:
        state.store.append_closed(bar.open_ms, np.array(saved, dtype=np.int64))
        return
    factor = state.factor if bar.open_ms >= traces.running_ms else 1.0
    row = scaled(bar.rows[index], factor)
    if traces.running_ms == bar.open_ms and any(traces.extra):
        row[list(VOLUMES)] += np.array(traces.extra, dtype=np.int64)[list(VOLUMES)]
    if factor != 1.0 or traces.running_ms == bar.open_ms:
        traces.touched[bar.open_ms] = row.tolist()
    state.store.append_closed(bar.open_ms, row)
    state.last_ticks, state.source_ticks = int(row[CLOSE]), int(bar.rows[index, CLOSE])


def scaled(row: Ints, factor: float) -> Ints:
    """Return a source row with prices and quote volumes moved by `factor`."""
    moved = row.copy()
    if factor != 1.0:
        moved[:4] = np.maximum(1, np.rint(row[:4] * factor))
        for column in (QUOTE, TAKER_QUOTE):
            moved[column] = round(int(row[column]) * factor)
    return moved
