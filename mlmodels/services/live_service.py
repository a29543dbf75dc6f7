"""One model while it serves in a replay: what it said, how it came out, how wide its intervals are.

Knows no database: the live counterpart reads stored predictions.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.conformal import track_scale
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.evaluation import OutOfFold
from mlmodels.services.serving import ServedModel

_AHEAD = 4096  # rows to predict at a time: a prediction does not depend on what comes later


@dataclass(slots=True, kw_only=True)
class Service:
    """A version from the close at which it began to predict.

    Attributes:
        model: As trained.
        rows: Every row of the replay, in order of time.
        horizon_ms: How long after its close an outcome is known.
        begin_ms: Its first close.
        trained_until_ms: Newest label that it had seen.
    """

    model: ServedModel
    rows: Dataset
    horizon_ms: int
    begin_ms: int
    trained_until_ms: int
    scales: dict[int, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    _first: int = 0
    _resolved: int = 0
    _said: OutOfFold | None = None

    def __post_init__(self) -> None:
        self._first = int(np.searchsorted(self.rows.start_ms, self.begin_ms))
        self._resolved = self._first

    def resolved(self, now_ms: int, *, newest: int) -> OutOfFold:
        """Return the newest predictions whose outcome is known at a moment, in order of time."""
        last = self._known(now_ms)
        first = max(self._first, last - newest)
        return self._slice(first, last)

    def features(self, now_ms: int, *, moments: int) -> NDArray[np.float32] | None:
        """Return the vectors of its newest closes; None when it had not so many."""
        last = int(np.searchsorted(self.rows.start_ms, now_ms, side="right"))
        closes = np.unique(self.rows.start_ms[self._first : last])
        if len(closes) < moments:
            return None
        found: NDArray[np.float32] = self.rows.features[
            int(np.searchsorted(self.rows.start_ms, closes[-moments])) : last
        ]
        return found

    def follow_misses(self, now_ms: int) -> bool:
        """Widen or narrow each symbol's interval by what was resolved since the last call.

        Returns:
            Whether any interval changed.
        """
        first, last = self._resolved, self._known(now_ms)
        if first >= last:
            return False
        self._resolved = last
        said = self._slice(first, last)
        for group in np.unique(said.group).tolist():
            own = said.where(said.group == group)
            width = np.array([self._scale_at(group, at) for at in own.time_ms.tolist()])
            above = (own.upper - own.expected_return) * width
            below = (own.lower - own.expected_return) * width
            miss = own.forward_return - own.expected_return
            inside = (miss >= below) & (miss <= above)
            scale = track_scale(self._scale_at(group, now_ms), inside.tolist())
            self.scales[group].append((now_ms, scale))
        return True

    def newest_scales(self) -> dict[int, float]:
        """Return each symbol's present factor; one that is absent has none."""
        return {group: history[-1][1] for group, history in self.scales.items() if history}

    def _scale_at(self, group: int, moment_ms: int) -> float:
        history = self.scales[group]
        place = bisect_right([at for at, _ in history], moment_ms)
        return history[place - 1][1] if place else 1.0

    def _known(self, now_ms: int) -> int:
        place = np.searchsorted(self.rows.start_ms, now_ms - self.horizon_ms, side="right")
        return max(int(place), self._first)

    def _slice(self, first: int, last: int) -> OutOfFold:
        done = 0 if self._said is None else len(self._said.p_up)
        while self._said is None or self._first + done < last:
            begin = self._first + done
            part = self._predict(begin, min(begin + _AHEAD, len(self.rows)))
            self._said = part if self._said is None else _join(self._said, part)
            done = len(self._said.p_up)
        at = slice(first - self._first, last - self._first)
        return OutOfFold(**{name: getattr(self._said, name)[at] for name in OutOfFold.__slots__})

    def _predict(self, first: int, last: int) -> OutOfFold:
        rows = self.rows.take(np.arange(first, last, dtype=np.intp))
        return judged_by(self.model, rows)


def judged_by(model: ServedModel, rows: Dataset) -> OutOfFold:
    """Return what a model says of rows, joined with what came of them."""
    found = model.bundle.calibrations.apply(
        model.margins(rows.features), rows.horizon_sigma, rows.group
    )
    return OutOfFold(
        time_ms=rows.start_ms,
        group=rows.group,
        p_up=found.p_up,
        base_rate=found.base_rate,
        forward_return=rows.forward_return,
        expected_return=found.expected_return,
        horizon_sigma=rows.horizon_sigma,
        lower=found.lower,
        upper=found.upper,
    )


def _join(left: OutOfFold, right: OutOfFold) -> OutOfFold:
    return OutOfFold(
        **{
            name: np.concatenate([getattr(left, name), getattr(right, name)])
            for name in OutOfFold.__slots__
        }
    )
