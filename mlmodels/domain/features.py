"""Features: one pure function for training, backtest and live.

Every feature is a function of the last ``FeatureSpec.warmup`` closed candles (of the symbol, and of
the references at the same closes) and of external values known at the close, and of nothing else.
Only ``+ - * /``, square root, comparison and clipping are used, which IEEE 754 rounds exactly, and
sums run over lags in one fixed order (newest first). So the newest row of a short window, the same
row inside years of history and the row of one symbol in a stack of a hundred are the same bits, on
every machine. Logarithms, matrix products and running sums would not promise that.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.feature_spec import CODE_VERSION, FeatureSpec
from mlmodels.domain.indicators.bars import FIELDS
from mlmodels.domain.indicators.stack import Others, Stack, columns_of

__all__ = [
    "CODE_VERSION",
    "LIMIT",
    "Candles",
    "FeatureMatrix",
    "FeatureSpec",
    "PointSeries",
    "compute",
    "compute_last",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
LIMIT = 10.0
# A value of an external series that nobody renewed for a day is no longer known.
MAX_AGE_MS = 86_400_000


class Candles(Protocol):
    """Closed candles of one symbol, ascending, each field of shape (n,).

    `taker_buy_base` is NaN where the source of the candle did not publish it; no other field may
    hold a NaN.
    """

    @property
    def open_time_ms(self) -> IntArray: ...
    @property
    def high(self) -> FloatArray: ...
    @property
    def low(self) -> FloatArray: ...
    @property
    def close(self) -> FloatArray: ...
    @property
    def volume(self) -> FloatArray: ...
    @property
    def taker_buy_base(self) -> FloatArray: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PointSeries:
    """A series that is no candle, such as sentiment, as it became known.

    Attributes:
        available_ms: shape (n,), ascending: from when on each value could be acted on.
        values: shape (n,), finite.
    """

    available_ms: IntArray
    values: FloatArray

    def __post_init__(self) -> None:
        if self.available_ms.shape != self.values.shape:
            raise ValueError("available_ms and values must be equally long")
        if (np.diff(self.available_ms) < 0).any():
            raise ValueError("available_ms must ascend: what comes later was known later")
        if not np.isfinite(self.values).all():
            raise ValueError("values must be finite; leave out what is not known")

    def as_of(self, moments_ms: IntArray) -> FloatArray:
        """Return the newest value available at each moment; 0 where none is younger than a day."""
        if not len(self.values):
            return np.zeros(len(moments_ms))
        place = np.searchsorted(self.available_ms, moments_ms, side="right") - 1
        at = np.maximum(place, 0)
        is_known = (place >= 0) & (moments_ms - self.available_ms[at] < MAX_AGE_MS)
        return np.where(is_known, self.values[at], 0.0)


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Features of some closes, one row each.

    Attributes:
        values: shape (rows, features), float32, finite.
        sigma: shape (rows,), standard deviation of one candle's return (fraction), 0 in a market
            that does not move.
        close_time_ms: shape (rows,).
        is_complete: shape (rows,); False where a candle is missing in the row's warm-up, and
            the row is then all zero.
    """

    values: NDArray[np.float32]
    sigma: FloatArray
    close_time_ms: IntArray
    is_complete: NDArray[np.bool_]


def compute(
    candles: Candles,
    spec: FeatureSpec,
    *,
    references: Mapping[str, Candles] | None = None,
    series: Mapping[str, PointSeries] | None = None,
) -> FeatureMatrix:
    """Return the features of every close that has its warm-up behind it.

    Args:
        candles: n closed candles; row i of the result belongs to candle ``i + spec.warmup - 1``.
        spec: Must be current.
        references: Candles of ``spec.symbols``; what is missing counts as not known: 0.
        series: External series by the keys of ``spec.series``; likewise.

    Returns:
        ``max(0, n - spec.warmup + 1)`` rows.

    Raises:
        ValueError: A price is not above zero, a value is not finite, or `spec` is of other code.
    """
    _check_spec(spec)
    fields = {name: np.asarray(getattr(candles, name))[np.newaxis] for name in FIELDS}
    _check(fields)
    opens = candles.open_time_ms
    matrix = _empty(opens[max(0, spec.warmup - 1) :] + spec.interval_ms, spec)
    others = _others(references, spec)
    for start, stop in _unbroken(opens, spec):
        stack = Stack(
            fields={name: column[:, start:stop] for name, column in fields.items()},
            open_time_ms=opens[start:stop],
            rows=stop - start - spec.warmup + 1,
        )
        values, sigma = _rows(stack, spec, others, [series or {}])
        _put(matrix, slice(start, stop - spec.warmup + 1), values, sigma)
    return matrix


def compute_last(
    windows: Sequence[Candles],
    spec: FeatureSpec,
    *,
    references: Mapping[str, Candles] | None = None,
    series: Sequence[Mapping[str, PointSeries]] | None = None,
) -> FeatureMatrix:
    """Return the features of the newest close of several symbols, one row per symbol.

    Bit for bit the last rows of ``compute``; the symbols are stacked, so that a hundred cost
    little more than one.

    Args:
        windows: At least ``spec.warmup`` candles each.
        spec: Must be current.
        references: As for ``compute``, with as many candles up to the same close.
        series: External series of each window.

    Raises:
        ValueError: As ``compute``, or a window has fewer than ``spec.warmup`` candles.
    """
    _check_spec(spec)
    for window in windows:
        if len(window.close) < spec.warmup:
            raise ValueError(f"window needs {spec.warmup} candles, was {len(window.close)}")
    newest = np.array([window.open_time_ms[-1] for window in windows], np.int64)
    matrix = _empty(newest + spec.interval_ms, spec)
    others = _others(references, spec)
    for open_ms, places in _by_close(windows, spec).items():
        stack = Stack(
            fields=_stacked([windows[place] for place in places], spec.warmup),
            open_time_ms=open_ms - np.arange(spec.warmup - 1, -1, -1) * spec.interval_ms,
            rows=1,
        )
        _check(stack.fields)
        given = [series[place] if series else {} for place in places]
        values, sigma = _rows(stack, spec, others, given)
        _put(matrix, places, values, sigma)
    return matrix


def _by_close(windows: Sequence[Candles], spec: FeatureSpec) -> dict[int, list[int]]:
    """Return the positions of the unbroken windows by their newest open time."""
    span = (spec.warmup - 1) * spec.interval_ms
    found: dict[int, list[int]] = defaultdict(list)
    for place, window in enumerate(windows):
        newest, oldest = window.open_time_ms[-1], window.open_time_ms[-spec.warmup]
        if newest - oldest == span:
            found[int(newest)].append(place)
    return found


def _stacked(windows: Sequence[Candles], length: int) -> dict[str, FloatArray]:
    stacked: dict[str, FloatArray] = {}
    for name in FIELDS:
        stacked[name] = np.empty((len(windows), length))
        for row, window in enumerate(windows):
            stacked[name][row] = getattr(window, name)[-length:]
    return stacked


def _unbroken(opens: IntArray, spec: FeatureSpec) -> list[tuple[int, int]]:
    """Return [start, stop) of the stretches without a gap that are long enough for a row."""
    breaks = np.flatnonzero(np.diff(opens) != spec.interval_ms) + 1
    edges = [0, *breaks.tolist(), len(opens)]
    return [(start, stop) for start, stop in pairwise(edges) if stop - start >= spec.warmup]


def _others(references: Mapping[str, Candles] | None, spec: FeatureSpec) -> dict[str, Others]:
    found = {}
    for symbol in spec.symbols:
        candles = (references or {}).get(symbol)
        if candles is None or not len(candles.close):
            continue
        fields = {name: np.asarray(getattr(candles, name)) for name in FIELDS}
        _check(fields)
        found[symbol] = Others(open_time_ms=candles.open_time_ms, fields=fields)
    return found


def _rows(
    stack: Stack,
    spec: FeatureSpec,
    others: Mapping[str, Others],
    series: Sequence[Mapping[str, PointSeries]],
) -> tuple[NDArray[np.float32], FloatArray]:
    """Return values, shape (symbols * rows, features), and sigma, shape (symbols * rows,)."""
    columns, sigma = columns_of(stack, spec, others)
    close_ms = stack.open_time_ms[-stack.rows :] + spec.interval_ms
    values = np.empty((*sigma.shape, len(spec.names)), np.float32)
    for index, term in enumerate(spec.terms):
        if term.series:
            for symbol, given in enumerate(series):
                known = given.get(term.series)
                column = known.as_of(close_ms) if known else 0.0
                values[symbol, :, index] = np.clip(column, -LIMIT, LIMIT)
        else:
            values[..., index] = np.clip(columns[index], -LIMIT, LIMIT)
    return values.reshape(-1, len(spec.names)), sigma.reshape(-1)


def _empty(close_time_ms: IntArray, spec: FeatureSpec) -> FeatureMatrix:
    rows = len(close_time_ms)
    return FeatureMatrix(
        values=np.zeros((rows, len(spec.names)), np.float32),
        sigma=np.zeros(rows),
        close_time_ms=close_time_ms,
        is_complete=np.zeros(rows, np.bool_),
    )


def _put(matrix: FeatureMatrix, where: Any, values: NDArray[np.float32], sigma: FloatArray) -> None:
    matrix.values[where] = values
    matrix.sigma[where] = sigma
    matrix.is_complete[where] = True


def _check_spec(spec: FeatureSpec) -> None:
    if not spec.is_current:
        raise ValueError(
            f"spec is of other code than this program's (code version {CODE_VERSION}, was "
            f"{spec.code_version})"
        )


def _check(fields: Mapping[str, FloatArray]) -> None:
    for name in ("high", "low", "close"):
        if not (np.isfinite(fields[name]).all() and (fields[name] > 0).all()):
            raise ValueError(f"{name} must be finite and above 0 in every candle")
    volume, bought = fields["volume"], fields["taker_buy_base"]
    if not (np.isfinite(volume).all() and (volume >= 0).all()):
        raise ValueError("volume must be finite and not below 0 in every candle")
    if np.isinf(bought).any() or (bought < 0).any():
        raise ValueError("taker_buy_base must be not below 0, or NaN where it is not known")
