"""Features: one pure function for training, backtest and live.

Every feature is a function of the last ``FeatureSpec.warmup`` closed candles and of nothing else.
Only ``+ - * /``, square root, comparison and clipping are used, which IEEE 754 rounds exactly, and
sums run over lags in one fixed order (newest first). So the newest row of a short window, the same
row inside years of history and the row of one symbol in a stack of a hundred are the same bits, on
every machine. Logarithms, matrix products and running sums would not promise that.

All arrays have shape (..., n): time is the last axis, symbols may be stacked before it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.lags import Lags, bounded_ratio, divide, rsi, wave

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Raise with every change of a formula: models of another version are then refused.
CODE_VERSION = 1
WARMUP = 97
DAY_MS = 86_400_000
LIMIT = 10.0

NAMES: tuple[str, ...] = (
    *(f"return_{k}" for k in (1, 2, 3, 6, 12, 24, 48)),
    *(f"ema_gap_{k}" for k in (6, 12, 24)),
    "ema_cross_6_24",
    "rsi_7",
    "rsi_14",
    "volatility_6_48",
    "volatility_24_96",
    "downside_24",
    "range_1",
    "range_6_48",
    "place_1",
    "place_24",
    "volume_z_48",
    "volume_6_48",
    *(f"taker_{k}" for k in (1, 3, 6, 12, 24)),
    "day_sine",
    "day_cosine",
    "is_weekend",
)


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
class FeatureSpec:
    """Which features, of which code, over candles of which length."""

    interval_ms: int
    code_version: int = CODE_VERSION
    warmup: int = WARMUP
    names: tuple[str, ...] = NAMES

    def __post_init__(self) -> None:
        if self.interval_ms <= 0:
            raise ValueError(f"interval_ms must be above 0, was {self.interval_ms}")

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "names": list(self.names)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FeatureSpec":
        return cls(**{**data, "names": tuple(data["names"])})

    @property
    def spec_hash(self) -> str:
        """Sha256 of the canonical JSON: equal hashes mean equal features."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def is_current(self) -> bool:
        """Whether this program computes these very features."""
        return self == FeatureSpec(interval_ms=self.interval_ms)


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """Features of some closes, one row each.

    Attributes:
        values: shape (rows, features), float32, finite.
        sigma: shape (rows,), standard deviation of one candle's return (fraction), 0 in a market
            that does not move.
        close_time_ms: shape (rows,).
        is_complete: shape (rows,); False where a candle is missing in the row's warm-up.
    """

    values: NDArray[np.float32]
    sigma: FloatArray
    close_time_ms: IntArray
    is_complete: NDArray[np.bool_]


def compute(candles: Candles, spec: FeatureSpec) -> FeatureMatrix:
    """Return the features of every close that has its warm-up behind it.

    Args:
        candles: n closed candles; row i of the result belongs to candle ``i + spec.warmup - 1``.
        spec: Must be current.

    Returns:
        ``max(0, n - spec.warmup + 1)`` rows.

    Raises:
        ValueError: A price is not above zero, a value is not finite, or `spec` is of other code.
    """
    rows = len(candles.close) - spec.warmup + 1
    if rows <= 0:
        return _matrix(_stack([], spec.warmup), spec, rows=1)
    fields = {name: getattr(candles, name)[np.newaxis, :] for name in _FIELDS}
    return _matrix(fields, spec, rows=rows)


def compute_last(windows: Sequence[Candles], spec: FeatureSpec) -> FeatureMatrix:
    """Return the features of the newest close of several symbols, one row per symbol.

    Bit for bit the last rows of ``compute``; the symbols are stacked, so that a hundred cost
    little more than one.

    Raises:
        ValueError: As ``compute``, or a window has fewer than ``spec.warmup`` candles.
    """
    for window in windows:
        if len(window.close) < spec.warmup:
            raise ValueError(f"window needs {spec.warmup} candles, was {len(window.close)}")
    return _matrix(_stack(windows, spec.warmup), spec, rows=1)


_FIELDS = ("open_time_ms", "high", "low", "close", "volume", "taker_buy_base")


def _stack(windows: Sequence[Candles], length: int) -> dict[str, NDArray[Any]]:
    stacked: dict[str, NDArray[Any]] = {}
    for name in _FIELDS:
        dtype = np.int64 if name == "open_time_ms" else np.float64
        stacked[name] = np.empty((len(windows), length), dtype)
        for row, window in enumerate(windows):
            stacked[name][row] = getattr(window, name)[-length:]
    return stacked


def _matrix(fields: Mapping[str, NDArray[Any]], spec: FeatureSpec, *, rows: int) -> FeatureMatrix:
    if not spec.is_current:
        raise ValueError(f"spec must be of code version {CODE_VERSION}, was {spec.code_version}")
    _check(fields)
    lags = Lags(rows=rows)
    opens = fields["open_time_ms"]
    newest = lags.at(opens, 0)
    span = (spec.warmup - 1) * spec.interval_ms
    columns, sigma = _columns(fields, lags, close_time_ms=newest + spec.interval_ms)
    values = np.empty((*newest.shape, len(NAMES)), np.float32)
    for index, name in enumerate(NAMES):
        values[..., index] = np.clip(columns[name], -LIMIT, LIMIT)
    return FeatureMatrix(
        values=values.reshape(-1, len(NAMES)),
        sigma=sigma.reshape(-1),
        close_time_ms=(newest + spec.interval_ms).reshape(-1),
        is_complete=(newest - lags.at(opens, spec.warmup - 1) == span).reshape(-1),
    )


def _check(fields: Mapping[str, NDArray[Any]]) -> None:
    for name in ("high", "low", "close"):
        if not (np.isfinite(fields[name]).all() and (fields[name] > 0).all()):
            raise ValueError(f"{name} must be finite and above 0 in every candle")
    volume, bought = fields["volume"], fields["taker_buy_base"]
    if not (np.isfinite(volume).all() and (volume >= 0).all()):
        raise ValueError("volume must be finite and not below 0 in every candle")
    if np.isinf(bought).any() or (bought < 0).any():
        raise ValueError("taker_buy_base must be not below 0, or NaN where it is not known")


def _columns(
    fields: Mapping[str, NDArray[Any]], lags: Lags, *, close_time_ms: IntArray
) -> tuple[dict[str, FloatArray], FloatArray]:
    close = fields["close"]
    returns = close[..., 1:] / close[..., :-1] - 1.0
    squares = lags.sums(returns * returns, (6, 24, 48, 96))
    sigma = np.sqrt(squares[48] / 48.0)
    columns: dict[str, FloatArray] = {}
    columns.update(_trend(close, sigma, lags))
    columns.update(_oscillators(returns, squares, lags))
    columns.update(_ranges(fields, sigma, lags))
    columns.update(_volumes(fields, lags))
    columns.update(_calendar(close_time_ms))
    return columns, sigma


def _trend(close: FloatArray, sigma: FloatArray, lags: Lags) -> dict[str, FloatArray]:
    """Past returns and distances from averages, in units of what a random walk would do."""
    price = lags.at(close, 0)
    columns: dict[str, FloatArray] = {}
    for k in (1, 2, 3, 6, 12, 24, 48):
        change = price / lags.at(close, k) - 1.0
        columns[f"return_{k}"] = divide(change, sigma * np.sqrt(float(k)))
    means = {span: lags.ema(close, span) for span in (6, 12, 24)}
    for span, mean in means.items():
        gap = price / mean - 1.0
        columns[f"ema_gap_{span}"] = divide(gap, sigma * np.sqrt(float(span)))
    cross = means[6] / means[24] - 1.0
    columns["ema_cross_6_24"] = divide(cross, sigma * np.sqrt(24.0))
    return columns


def _oscillators(
    returns: FloatArray, squares: Mapping[int, FloatArray], lags: Lags
) -> dict[str, FloatArray]:
    gains = lags.sums(np.maximum(returns, 0.0), (7, 14))
    losses = lags.sums(np.maximum(-returns, 0.0), (7, 14))
    falls = np.minimum(returns, 0.0)
    down = lags.sums(falls * falls, (24,))[24]
    deviation = {k: np.sqrt(squares[k] / float(k)) for k in (6, 24, 48, 96)}
    return {
        # 0-100 would swamp the other columns; -1 to 1 says the same.
        "rsi_7": rsi(gains[7], losses[7]) / 50.0 - 1.0,
        "rsi_14": rsi(gains[14], losses[14]) / 50.0 - 1.0,
        "volatility_6_48": bounded_ratio(deviation[6], deviation[48]),
        "volatility_24_96": bounded_ratio(deviation[24], deviation[96]),
        "downside_24": divide(2.0 * down - squares[24], squares[24]),
    }


def _ranges(
    fields: Mapping[str, NDArray[Any]], sigma: FloatArray, lags: Lags
) -> dict[str, FloatArray]:
    high, low, close = fields["high"], fields["low"], fields["close"]
    relative = (high - low) / close
    means = lags.sums(relative, (6, 48))
    price, bottom = lags.at(close, 0), lags.at(low, 0)
    floor = lags.minimum(low, 24)
    height = lags.maximum(high, 24) - floor
    return {
        "range_1": divide(lags.at(relative, 0), sigma),
        "range_6_48": bounded_ratio(means[6] / 6.0, means[48] / 48.0),
        "place_1": _place(price - bottom, lags.at(high, 0) - bottom),
        "place_24": _place(price - floor, height),
    }


def _place(above: FloatArray, height: FloatArray) -> FloatArray:
    """Return where the close lies in its range, -1 (low) to 1 (high), 0 in an empty range."""
    return divide(2.0 * above - height, height)


def _volumes(fields: Mapping[str, NDArray[Any]], lags: Lags) -> dict[str, FloatArray]:
    volume = fields["volume"]
    sums = lags.sums(volume, (6, 48))
    mean = sums[48] / 48.0
    deviation = np.sqrt(lags.squared_deviation(volume, mean, 48) / 48.0)
    bought = fields["taker_buy_base"]
    # +1: all buyers took, -1: all sellers did, 0 also where nothing traded or nobody said who.
    imbalance = divide(np.where(np.isnan(bought), 0.0, 2.0 * bought - volume), volume)
    taken = lags.sums(imbalance, (1, 3, 6, 12, 24))
    return {
        "volume_z_48": divide(lags.at(volume, 0) - mean, deviation),
        "volume_6_48": bounded_ratio(sums[6] / 6.0, mean),
        **{f"taker_{k}": taken[k] / float(k) for k in (1, 3, 6, 12, 24)},
    }


def _calendar(close_time_ms: IntArray) -> dict[str, FloatArray]:
    fraction = (close_time_ms % DAY_MS) / float(DAY_MS)
    # 1970-01-01 was a Thursday; the candle that closes at midnight belongs to the day it ends.
    weekday = ((close_time_ms - 1) // DAY_MS + 3) % 7
    return {
        "day_sine": wave(fraction),
        "day_cosine": wave((fraction + 0.25) % 1.0),
        "is_weekend": (weekday >= 5).astype(np.float64),
    }
