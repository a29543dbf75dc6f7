"""What of a market cannot be made again from its source, and how it comes back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from simexchange.market.bars import (
    CLOSE,
    COUNT,
    QUOTE,
    SOURCE_COLUMNS,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
    Bar,
)
from simexchange.market.symbolstate import SymbolState

VOLUMES = (VOLUME, QUOTE, COUNT, TAKER, TAKER_QUOTE)


class Signed(Protocol):
    """A source or feed."""

    def signature(self) -> dict[str, Any]:
        """Return what a snapshot must agree with."""


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
        """Return JSON-able values; the touched candles are journalled one by one."""
        return {
            "factor": self.factor,
            "next_id": self.next_id,
            "running_ms": self.running_ms,
            "extra": self.extra,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any], touched: Iterable[Sequence[int]]) -> "Traces":
        """Return what `as_json` gave away, with the rows (open time, nine columns) beside it."""
        return cls(
            factor=float(data["factor"]),
            next_id=int(data["next_id"]),
            touched={int(row[0]): [int(cell) for cell in row[1:]] for row in touched},
            running_ms=int(data["running_ms"]),
            extra=[int(cell) for cell in data["extra"]],
        )


def read_traces(symbols: Iterable[str], saved: dict[str, Any] | None) -> dict[str, Traces]:
    """Return each symbol's traces: a snapshot's, with the touched candles under ``candles``."""
    if saved is None:
        return {symbol: Traces() for symbol in symbols}
    touched = saved.get("candles", {})
    return {
        symbol: Traces.from_json(kept, touched.get(symbol, ()))
        for symbol, kept in saved["symbols"].items()
    }


def check_signature(source: Signed, data: dict[str, Any]) -> None:
    """Refuse the snapshot of another source.

    Raises:
        ValueError: with what differs.
    """
    ours, theirs = source.signature(), data["source"]
    if ours != theirs:
        differs = sorted(k for k in ours | theirs if ours.get(k) != theirs.get(k))
        raise ValueError(
            f"the snapshot is of another market: {', '.join(differs)} differ from the options"
        )


def pass_over(state: SymbolState, traces: Traces, bar: Bar, index: int) -> None:
    """Append a candle that closed before the clock's present, without playing it."""
    row = bar.rows[index]
    saved = traces.touched.get(bar.open_ms)
    if saved is None:
        factor = state.factor if bar.open_ms >= traces.running_ms else 1.0
        saved = scaled(row.tolist(), factor)
        if traces.running_ms == bar.open_ms:
            for column in VOLUMES:
                saved[column] += traces.extra[column]
        if factor != 1.0 or traces.running_ms == bar.open_ms:
            traces.touched[bar.open_ms] = saved
    state.store.append_closed(bar.open_ms, saved)
    state.last_ticks, state.source_ticks = saved[CLOSE], int(row[CLOSE])


def scaled(row: list[int], factor: float) -> list[int]:
    """Return a source row with prices and quote volumes moved by `factor`."""
    if factor == 1.0:
        return row
    moved = [max(1, round(ticks * factor)) for ticks in row[: CLOSE + 1]] + row[CLOSE + 1 :]
    for column in (QUOTE, TAKER_QUOTE):
        moved[column] = round(row[column] * factor)
    return moved
