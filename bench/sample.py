"""Small statistics of timings."""

from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the interpolated percentile of a non-empty sample."""
    ordered = sorted(values)
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return percentile(values, 50)
