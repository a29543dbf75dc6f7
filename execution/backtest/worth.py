"""What the account was worth, at every close and for the gate."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from execution.backtest.series import DAY_MS, Series, Times, exact

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Step:
    """From this close on, this was held."""

    place: int
    cash: Decimal
    held: Mapping[int, Decimal]


class Worth:
    """Cash and holdings over time, valued exactly where somebody asks.

    The gate wants three figures that live trading records at each close: equity, equity at the
    start of the UTC day, and the highest equity so far. Between two changes of the holdings they
    follow from the prices, so nothing is done at closes where nobody asks.
    """

    def __init__(self, *, timeline: Times, series: Sequence[Series], cash: Decimal) -> None:
        self.timeline = timeline
        self.cash = cash
        self.held: dict[int, Decimal] = {}
        self._marks = [_marks(item, timeline) for item in series]
        self._start = cash
        self._steps = [_Step(0, cash, {})]
        self._places = [0]
        self._done = 0
        self._high = cash

    def settle(self, moment_ms: int) -> None:
        """Value the closes before `moment_ms` at what is held now; call before it changes."""
        place = int(self.timeline.searchsorted(moment_ms))
        if place <= self._done:
            return
        best = self._best(self._done, place) if self.held else self.cash
        self._high = max(self._high, best)
        self._done = place

    def change(self, moment_ms: int, *, cash: Decimal, index: int, quantity: Decimal) -> None:
        """Note new holdings, in force from the close at `moment_ms` on.

        Args:
            moment_ms: Close of the candle in which it happened.
            cash: Quote units after it.
            index: Which series.
            quantity: Base units of it after the change.
        """
        place = int(self.timeline.searchsorted(moment_ms))
        self.cash = cash
        if quantity:
            self.held[index] = quantity
        else:
            self.held.pop(index, None)
        if self._places[-1] == place:
            self._steps.pop()
            self._places.pop()
        self._steps.append(_Step(place, cash, dict(self.held)))
        self._places.append(place)

    def equity(self, moment_ms: int) -> Decimal:
        """Return the exact equity at the last close up to `moment_ms`."""
        place = int(self.timeline.searchsorted(moment_ms, side="right")) - 1
        return self._value(self.cash, self.held, max(place, 0))

    def day_start(self, moment_ms: int) -> Decimal:
        """Return the equity at the last close before the UTC day of `moment_ms`."""
        midnight = moment_ms - moment_ms % DAY_MS
        place = int(self.timeline.searchsorted(midnight)) - 1
        if place < 0:
            return self._start
        step = self._steps[bisect_right(self._places, place) - 1]
        return self._value(step.cash, step.held, place)

    def high(self, moment_ms: int) -> Decimal:
        """Return the highest equity at any close up to `moment_ms`."""
        self.settle(moment_ms)
        return max(self._high, self.equity(moment_ms))

    def mark(self, index: int, moment_ms: int) -> Decimal:
        """Return the last close of a series up to `moment_ms`."""
        place = int(self.timeline.searchsorted(moment_ms, side="right")) - 1
        return exact(self._marks[index][max(place, 0)])

    def curves(self) -> tuple[Floats, Floats]:
        """Return equity (quote) and exposure (fraction) at every close, float64, shape (n,)."""
        count = self.timeline.shape[0]
        ends = [*self._places[1:], count]
        lengths = np.diff([*self._places, count])
        equity = np.repeat([float(step.cash) for step in self._steps], lengths)
        invested = np.zeros(count)
        for step, end in zip(self._steps, ends, strict=True):
            for index, quantity in step.held.items():
                marks = self._marks[index][step.place : end]
                invested[step.place : end] += float(quantity) * marks
        equity = equity + invested
        exposure = np.divide(invested, equity, out=np.zeros(count), where=equity > 0)
        return equity, exposure

    def _best(self, begin: int, end: int) -> Decimal:
        """Return the highest equity at the closes begin..end, of what is held now."""
        total = np.zeros(end - begin)
        for index, quantity in self.held.items():
            total += float(quantity) * self._marks[index][begin:end]
        return self._value(self.cash, self.held, begin + int(np.argmax(total)))

    def _value(self, cash: Decimal, held: Mapping[int, Decimal], place: int) -> Decimal:
        for index, quantity in held.items():
            cash += quantity * exact(self._marks[index][place])
        return cash


def _marks(series: Series, timeline: Times) -> Floats:
    """Return the last close of the series at each moment of the timeline, its first before it."""
    closes = series.close_ms
    if closes.shape == timeline.shape and bool((closes == timeline).all()):
        return series.candles.close
    places = closes.searchsorted(timeline, side="right") - 1
    return np.asarray(series.candles.close[np.maximum(places, 0)])
