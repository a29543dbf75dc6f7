"""Labels: what happened after a close. For training only; nothing that predicts imports this."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.label_spec import LabelKind, LabelSpec

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Closes(Protocol):
    """Closed candles of one symbol, ascending, each field of shape (n,)."""

    @property
    def open_time_ms(self) -> IntArray: ...
    @property
    def high(self) -> FloatArray: ...
    @property
    def low(self) -> FloatArray: ...
    @property
    def close(self) -> FloatArray: ...


@dataclass(frozen=True, slots=True)
class Labels:
    """What followed each close whose horizon has passed.

    Attributes:
        forward_return: shape (n,), fraction, from the close to the end of the label.
        start_ms: shape (n,), the close: the label knows nothing before it.
        end_ms: shape (n,), the end of the label's interval: it knows nothing after it.
        is_complete: shape (n,); False where a candle is missing on the way.
        touched: shape (n,); 1 the upper barrier, -1 the lower one, 0 the horizon.
    """

    forward_return: FloatArray
    start_ms: IntArray
    end_ms: IntArray
    is_complete: NDArray[np.bool_]
    touched: IntArray


def make_labels(
    candles: Closes, label: LabelSpec, *, interval_ms: int, sigma: FloatArray
) -> Labels:
    """Return the labels of all but the newest ``horizon_bars`` candles.

    Args:
        candles: n closed candles.
        label: Which label.
        interval_ms: Of the candles.
        sigma: shape (n,), of one candle's return, known at each close; only BARRIER looks at it.
    """
    horizon = label.horizon_bars
    if label.kind is LabelKind.FORWARD:
        return forward_labels(candles, horizon_bars=horizon, interval_ms=interval_ms)
    count = max(0, len(candles.close) - horizon)
    if label.kind is LabelKind.BARRIER:
        up = down = label.width * sigma[:count] * np.sqrt(float(horizon))
    else:
        up, down = np.full(count, label.take_profit), np.full(count, label.stop_loss)
    return barrier_labels(
        candles, upper=up, lower=down, horizon_bars=horizon, interval_ms=interval_ms
    )


def forward_labels(candles: Closes, *, horizon_bars: int, interval_ms: int) -> Labels:
    """Return the labels of all but the newest `horizon_bars` candles.

    Raises:
        ValueError: The horizon is not above 0.
    """
    if horizon_bars <= 0:
        raise ValueError(f"horizon_bars must be above 0, was {horizon_bars}")
    count = max(0, len(candles.close) - horizon_bars)
    close, opens = candles.close, candles.open_time_ms
    start = opens[:count] + interval_ms
    span = opens[horizon_bars : horizon_bars + count] - opens[:count]
    return Labels(
        forward_return=close[horizon_bars : horizon_bars + count] / close[:count] - 1.0,
        start_ms=start,
        end_ms=start + horizon_bars * interval_ms,
        is_complete=span == horizon_bars * interval_ms,
        touched=np.zeros(count, np.int64),
    )


def barrier_labels(
    candles: Closes,
    *,
    upper: FloatArray,
    lower: FloatArray,
    horizon_bars: int,
    interval_ms: int,
) -> Labels:
    """Return which of three comes first: the upper barrier, the lower one or the horizon.

    A candle that spans both barriers counts as the lower one: nobody knows the order inside it,
    and the pessimist loses nothing by being wrong. Source: Lopez de Prado 2018, ch. 3.

    Args:
        candles: n closed candles.
        upper: shape (n - horizon_bars,), fraction above the close.
        lower: shape (n - horizon_bars,), fraction below the close.
        horizon_bars: Candles ahead at most.
        interval_ms: Of the candles.
    """
    count = len(upper)
    close, opens = candles.close, candles.open_time_ms
    touched = np.zeros(count, np.int64)
    bars = np.full(count, horizon_bars, np.int64)
    is_open = np.ones(count, np.bool_)
    for ahead in range(1, horizon_bars + 1):
        low = candles.low[ahead : ahead + count] / close[:count] - 1.0
        high = candles.high[ahead : ahead + count] / close[:count] - 1.0
        is_lost = is_open & (low <= -lower)
        is_won = is_open & ~is_lost & (high >= upper)
        touched[is_lost], touched[is_won] = -1, 1
        is_over = is_lost | is_won
        bars[is_over] = ahead
        is_open &= ~is_over
    place = np.arange(count)
    at_end = close[place + bars] / close[:count] - 1.0
    found = np.where(touched == 1, upper, np.where(touched == -1, -lower, at_end))
    start = opens[:count] + interval_ms
    return Labels(
        forward_return=found,
        start_ms=start,
        end_ms=start + bars * interval_ms,
        is_complete=opens[place + bars] - opens[:count] == bars * interval_ms,
        touched=touched,
    )


def realized(
    candles: Closes, label: LabelSpec, *, interval_ms: int, horizon_sigma: float | None
) -> float | None:
    """Return what came of one close: the label's return; None while a candle is missing.

    Args:
        candles: From the candle that was predicted from to the end of the horizon.
        label: What the model was trained on.
        interval_ms: Of the candles.
        horizon_sigma: Volatility over the horizon that was known at the close; BARRIER needs it.
    """
    sigma = np.full(len(candles.close), 0.0)
    if label.kind is LabelKind.BARRIER:
        if not horizon_sigma:
            return None
        sigma += horizon_sigma / np.sqrt(float(label.horizon_bars))
    found = make_labels(candles, label, interval_ms=interval_ms, sigma=sigma)
    if len(found.forward_return) != 1 or not found.is_complete[0]:
        return None
    return float(found.forward_return[0])
