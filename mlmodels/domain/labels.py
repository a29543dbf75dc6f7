"""Labels: what happened after a close. For training only; nothing that predicts imports this."""

from dataclasses import dataclass, replace
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
    candles: Closes,
    label: LabelSpec,
    *,
    interval_ms: int,
    sigma: FloatArray,
    side: FloatArray | None = None,
) -> Labels:
    """Return the labels of all but the newest ``horizon_bars`` candles.

    Args:
        candles: n closed candles.
        label: Which label.
        interval_ms: Of the candles.
        sigma: shape (n,), of one candle's return, known at each close; only BARRIER looks at it.
        side: shape (n,), 1 or -1; returns are those of standing on that side: a fall is the gain
            of a short, and its target lies below. None: always up.
    """
    found = _labels(candles, label, interval_ms=interval_ms, sigma=sigma, side=side)
    if side is None:
        return found
    return replace(found, forward_return=found.forward_return * side[: len(found.start_ms)])


def _labels(
    candles: Closes,
    label: LabelSpec,
    *,
    interval_ms: int,
    sigma: FloatArray,
    side: FloatArray | None,
) -> Labels:
    """Return labels whose returns are those of the price, whatever the side."""
    horizon = label.horizon_bars
    if label.kind is LabelKind.FORWARD:
        return forward_labels(candles, horizon_bars=horizon, interval_ms=interval_ms)
    count = max(0, len(candles.close) - horizon)
    if label.kind is LabelKind.BARRIER:
        up = down = label.width * sigma[:count] * np.sqrt(float(horizon))
    else:
        up, down = np.full(count, label.take_profit), np.full(count, label.stop_loss)
    is_short = None if side is None else side[:count] < 0
    if is_short is not None:
        up, down = np.where(is_short, down, up), np.where(is_short, up, down)
    return barrier_labels(
        candles,
        upper=up,
        lower=down,
        horizon_bars=horizon,
        interval_ms=interval_ms,
        is_short=is_short,
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
    is_short: NDArray[np.bool_] | None = None,
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
        is_short: shape (n - horizon_bars,), whose pessimist sees the upper barrier first.
    """
    count = len(upper)
    fears_high = np.zeros(count, np.bool_) if is_short is None else is_short
    close, opens = candles.close, candles.open_time_ms
    touched = np.zeros(count, np.int64)
    bars = np.full(count, horizon_bars, np.int64)
    is_open = np.ones(count, np.bool_)
    for ahead in range(1, horizon_bars + 1):
        low = candles.low[ahead : ahead + count] / close[:count] - 1.0
        high = candles.high[ahead : ahead + count] / close[:count] - 1.0
        is_below, is_above = is_open & (low <= -lower), is_open & (high >= upper)
        is_both = is_below & is_above
        is_lost = is_below & ~(is_both & fears_high)
        is_won = is_above & ~(is_both & ~fears_high)
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
    candles: Closes,
    label: LabelSpec,
    *,
    interval_ms: int,
    horizon_sigma: float | None,
    side: float = 1.0,
) -> float | None:
    """Return what the price did until one close's label ended; None while a candle is missing.

    Args:
        candles: From the candle that was predicted from to the end of the horizon.
        label: What the model was trained on.
        interval_ms: Of the candles.
        horizon_sigma: Volatility over the horizon that was known at the close; BARRIER needs it.
        side: Where the primary rule stood, 1 or -1: it chooses the barriers, not the sign.
    """
    sigma = np.full(len(candles.close), 0.0)
    if label.kind is LabelKind.BARRIER:
        if not horizon_sigma:
            return None
        sigma += horizon_sigma / np.sqrt(float(label.horizon_bars))
    stood = np.full(len(candles.close), side)
    found = _labels(candles, label, interval_ms=interval_ms, sigma=sigma, side=stood)
    if len(found.forward_return) != 1 or not found.is_complete[0]:
        return None
    return float(found.forward_return[0])
