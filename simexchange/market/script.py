"""Prices set by hand: paths that lead a symbol away from its source for a while."""

import heapq
import itertools
from collections.abc import Sequence
from decimal import Decimal

STEPS_PER_LEG = 20
SHORTEST_STEP_MS = 100


class Script:
    """Prints to come of scripted paths, for all symbols, in order of time."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, int, int]] = []
        self._order = itertools.count()
        self._left: dict[int, int] = {}

    def is_leading(self, index: int) -> bool:
        """Say whether the symbol of this index is on a path now."""
        return index in self._left

    def cancel(self, index: int) -> None:
        """Drop what is left of a symbol's path."""
        if self._left.pop(index, None) is not None:
            self._due = [entry for entry in self._due if entry[2] != index]
            heapq.heapify(self._due)

    def lead(self, index: int, points: Sequence[tuple[int, int]]) -> None:
        """Schedule prints at (time, ticks) points, ascending in time."""
        self.cancel(index)
        for time_ms, ticks in points:
            heapq.heappush(self._due, (time_ms, next(self._order), index, ticks))
        self._left[index] = len(points)

    def next_time(self) -> int | None:
        """Return when the next scripted print is due."""
        return self._due[0][0] if self._due else None

    def pop(self) -> tuple[int, int, int, bool]:
        """Return (time, index, ticks, is the path's last) of the next print."""
        time_ms, _, index, ticks = heapq.heappop(self._due)
        self._left[index] -= 1
        ended = self._left[index] == 0
        if ended:
            del self._left[index]
        return time_ms, index, ticks, ended


def path_points(
    now_ms: int, from_ticks: int, path: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Return the prints that walk a path in even steps.

    Args:
        now_ms: time the path's times count from.
        from_ticks: price before the path.
        path: (milliseconds from now, ticks), times ascending, the first may be 0.

    Returns:
        (time, ticks), ending exactly on every point of the path.
    """
    points: list[tuple[int, int]] = []
    at_ms, ticks = 0, from_ticks
    for until_ms, target in path:
        steps = min(STEPS_PER_LEG, max(1, (until_ms - at_ms) // SHORTEST_STEP_MS))
        points += [
            (
                now_ms + at_ms + (until_ms - at_ms) * step // steps,
                ticks + (target - ticks) * step // steps,
            )
            for step in range(1, steps + 1)
        ]
        at_ms, ticks = until_ms, target
    return points


def check_path(path: Sequence[tuple[int, Decimal]]) -> None:
    """Refuse a path that cannot be walked.

    Raises:
        ValueError: on an empty path, times that do not ascend or a price not above zero.
    """
    if not path:
        raise ValueError("a path needs at least one point")
    last_ms = -1
    for at_ms, price in path:
        if at_ms <= last_ms:
            raise ValueError(f"times of a path must ascend from 0, was {at_ms} after {last_ms}")
        if not price.is_finite() or price <= 0:
            raise ValueError(f"a price must be above zero, was {price}")
        last_ms = at_ms
