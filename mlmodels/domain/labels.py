"""Labels: what happened after a close. For training only; nothing that predicts imports this."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Closes(Protocol):
    """Closed candles of one symbol, ascending, each field of shape (n,)."""

    @property
    def open_time_ms(self) -> IntArray: ...
    @property
    def close(self) -> FloatArray: ...


@dataclass(frozen=True, slots=True)
class Labels:
    """What followed each close whose horizon has passed.

    Attributes:
        forward_return: shape (n,), fraction, from the close to the close `horizon_bars` later.
        start_ms: shape (n,), the close: the label knows nothing before it.
        end_ms: shape (n,), the end of the label's interval: it knows nothing after it.
        is_complete: shape (n,); False where a candle is missing on the way.
    """

    forward_return: FloatArray
    start_ms: IntArray
    end_ms: IntArray
    is_complete: NDArray[np.bool_]


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
    )


def net_sign(forward_return: FloatArray, *, cost: float) -> IntArray:
    """Return 1 where a long paid after `cost`, -1 where a short did, else 0.

    Args:
        forward_return: shape (n,), fraction.
        cost: Round trip, fraction, at least 0.
    """
    return np.where(forward_return > cost, 1, np.where(forward_return < -cost, -1, 0))
