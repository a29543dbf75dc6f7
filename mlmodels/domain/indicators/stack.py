"""All columns of a stack of symbols at the same closes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.feature_spec import FeatureSpec
from mlmodels.domain.indicators.arithmetic import FloatArray
from mlmodels.domain.indicators.bars import FIELDS, Bars, base_bars, higher_bars
from mlmodels.domain.indicators.registry import Feature, Market, Sees
from mlmodels.domain.indicators.terms import Term

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """Unbroken candles of symbols that all closed at the same times.

    Attributes:
        fields: FIELDS, each of shape (symbols, n).
        open_time_ms: shape (n,).
        rows: How many of the newest closes are asked about.
    """

    fields: Mapping[str, FloatArray]
    open_time_ms: IntArray
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Candles of a reference symbol: FIELDS, each of shape (m,), perhaps with gaps."""

    open_time_ms: IntArray
    fields: Mapping[str, FloatArray]


class _Frames:
    """The bars of each length over one set of candles, made when first asked for."""

    def __init__(self, base: Bars, *, close_time_ms: int, interval_ms: int) -> None:
        self._base = base
        self._close_bar = close_time_ms // interval_ms
        self._made: dict[int, tuple[Bars, NDArray[np.intp] | None]] = {1: (base, None)}
        self._shifted: dict[tuple[int, int], Bars] = {}

    def column(self, feature: Feature, term: Term) -> FloatArray:
        """Return the feature on the base rows, shape (symbols, rows)."""
        if term.ratio not in self._made:
            phase = self._close_bar % term.ratio
            self._made[term.ratio] = higher_bars(self._base, ratio=term.ratio, phase=phase)
        bars, seen = self._made[term.ratio]
        key = (term.ratio, term.shift)
        if key not in self._shifted:
            self._shifted[key] = bars.shifted(term.shift)
        found = feature.function(self._shifted[key], term.period)
        return found if seen is None else found[..., seen]


def columns_of(
    stack: Stack, spec: FeatureSpec, others: Mapping[str, Others]
) -> tuple[list[FloatArray], FloatArray]:
    """Return one column per name of `spec`, (symbols, rows) each, and sigma; external ones are 0.

    A column of a reference that lacks a candle in a row's warm-up is 0 in that row.
    """
    base = base_bars(stack.fields, rows=stack.rows)
    close_ms = stack.open_time_ms[-stack.rows :] + spec.interval_ms
    last_ms = int(stack.open_time_ms[-1]) + spec.interval_ms
    own = _Frames(base, close_time_ms=last_ms, interval_ms=spec.interval_ms)
    known = {
        symbol: _align(others[symbol], stack, spec.warmup)
        for symbol in spec.symbols
        if symbol in others
    }
    frames = {
        symbol: _Frames(bars, close_time_ms=last_ms, interval_ms=spec.interval_ms)
        for symbol, (bars, _) in known.items()
    }
    market = _market(base, stack, spec, others) if spec.needs_market() else None
    nothing = np.zeros((base["close"].shape[0], stack.rows))
    columns = []
    for term in spec.terms:
        column = nothing
        if term.feature is None:
            pass
        elif term.feature.sees is Sees.MOMENT:
            column = term.feature.function(close_ms)
        elif term.feature.sees is Sees.MARKET:
            if market is not None:
                column = term.feature.function(market, term.period)
        elif not term.symbol:
            column = own.column(term.feature, term)
        elif term.symbol in known:
            is_known = known[term.symbol][1]
            column = np.where(is_known, frames[term.symbol].column(term.feature, term), 0.0)
        columns.append(column)
    return columns, base.sigma


def _market(
    own: Bars, stack: Stack, spec: FeatureSpec, others: Mapping[str, Others]
) -> Market | None:
    found = [
        _aligned(others[symbol], stack, spec.warmup)
        for symbol in spec.references
        if symbol in others
    ]
    if not found:
        return None
    fields = {name: np.stack([given[name] for given, _ in found]) for name in FIELDS}
    return Market(
        own=own,
        others=base_bars(fields, rows=stack.rows),
        is_known=np.stack([is_known for _, is_known in found]),
    )


def _align(other: Others, stack: Stack, warmup: int) -> tuple[Bars, NDArray[np.bool_]]:
    fields, is_known = _aligned(other, stack, warmup)
    given = {name: column[np.newaxis] for name, column in fields.items()}
    return base_bars(given, rows=stack.rows), is_known


def _aligned(
    other: Others, stack: Stack, warmup: int
) -> tuple[dict[str, FloatArray], NDArray[np.bool_]]:
    """Put a reference's candles on the stack's times; a missing one repeats the one before.

    Returns:
        The fields, shape (n,), and which rows have their whole warm-up, shape (rows,).
    """
    times = other.open_time_ms
    place = np.clip(np.searchsorted(times, stack.open_time_ms, side="right") - 1, 0, None)
    is_missing = times[place] != stack.open_time_ms
    fields = {name: column[place] for name, column in other.fields.items()}
    missing = np.concatenate([[0], np.cumsum(is_missing)])
    rows = stack.rows
    is_known = missing[-rows:] == missing[-rows - warmup : len(missing) - warmup]
    return fields, is_known
