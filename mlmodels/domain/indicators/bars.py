"""Candles of one length, and finite windows over them that end at each of the newest rows.

Every operation works on the last axis, walks lags in one fixed order (newest first) and uses only
exactly rounded arithmetic: a row's bits depend neither on how many rows are asked for nor on how
many symbols are stacked. Sums are kept as they grow, so that a sum of 48 costs 24 additions after
one of 24 and has the bits of a sum of 48 that was made alone.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np

from mlmodels.domain.indicators.arithmetic import FloatArray, divide

# An average of span s is cut after this many spans; what is left out weighs e^-8.
EMA_SPANS = 4
# Returns that the unit of all price features, sigma, is taken over.
SIGMA_RETURNS = 48
FIELDS = ("high", "low", "close", "volume", "taker_buy_base")


class Bars:
    """Unbroken closed candles, symbols stacked before time; asked about at the last `rows`.

    Args:
        series: ``close high low volume flow square``, each of shape (symbols, n); `flow` is twice
            the taker buys less the volume, 0 where nobody published who took; `square` is the
            realised variance of a bar. ``square`` may lack the first bars.
        rows: How many of the newest entries are asked about.
        sigma_bars: Bars that sigma is taken over.
    """

    def __init__(self, series: Mapping[str, FloatArray], *, rows: int, sigma_bars: int) -> None:
        self.rows = rows
        self.sigma_bars = sigma_bars
        self._series = dict(series)
        self._found: dict[tuple[str, str], dict[int, FloatArray]] = defaultdict(dict)

    def __getitem__(self, name: str) -> FloatArray:
        """Return a whole series, given or derived, aligned at its end."""
        if name not in self._series:
            self._series[name] = _DERIVED[name](self)
        return self._series[name]

    def at(self, name: str, lag: int = 0) -> FloatArray:
        """Return the entries `lag` before each row: shape (symbols, rows)."""
        return self._at(self[name], lag)

    def total(self, name: str, length: int) -> FloatArray:
        """Return the sum over the newest `length` entries."""
        return self._walk("total", name, length, np.add)

    def mean(self, name: str, length: int) -> FloatArray:
        """Return the mean over the newest `length` entries."""
        return self.total(name, length) / float(length)

    def highest(self, name: str, length: int) -> FloatArray:
        """Return the highest of the newest `length` entries."""
        return self._walk("highest", name, length, np.maximum)

    def lowest(self, name: str, length: int) -> FloatArray:
        """Return the lowest of the newest `length` entries."""
        return self._walk("lowest", name, length, np.minimum)

    def deviation(self, name: str, length: int) -> FloatArray:
        """Return the standard deviation around the mean of the newest `length` entries."""
        found = self._found["deviation", name]
        if length not in found:
            mean = self.mean(name, length)
            squares = np.zeros_like(mean)
            for lag in range(length):
                gap = self.at(name, lag) - mean
                gap *= gap
                squares += gap
            found[length] = np.sqrt(squares / float(length))
        return found[length]

    def ema(self, name: str, span: int) -> FloatArray:
        """Return the exponential average of `span`, begun ``EMA_SPANS * span`` entries ago."""
        found = self._found["ema", name]
        if span not in found:
            alpha = 2.0 / (span + 1.0)
            series = self[name]
            first = EMA_SPANS * span - 1
            mean = self._at(series, first).copy()
            step = np.empty_like(mean)
            for lag in range(first - 1, -1, -1):
                np.subtract(self._at(series, lag), mean, out=step)
                step *= alpha
                mean += step
            found[span] = mean
        return found[span]

    @property
    def sigma(self) -> FloatArray:
        """Return the standard deviation of one bar's return, (symbols, rows); 0 if none moved."""
        return self.volatility(self.sigma_bars)

    def volatility(self, length: int) -> FloatArray:
        """Return the root of the mean realised variance of `length` bars."""
        found = self._found["volatility", "square"]
        if length not in found:
            found[length] = np.sqrt(self.mean("square", length))
        return found[length]

    def shifted(self, bars: int) -> "Bars":
        """Return the same rows as they were `bars` bars earlier."""
        if bars == 0:
            return self
        given = {name: self._series[name][..., :-bars] for name in _GIVEN}
        return Bars(given, rows=self.rows, sigma_bars=self.sigma_bars)

    def _at(self, series: FloatArray, lag: int) -> FloatArray:
        end = series.shape[-1] - lag
        if end < self.rows:
            raise ValueError(f"lag {lag} needs {self.rows + lag} entries, was {series.shape[-1]}")
        return series[..., end - self.rows : end]

    def _walk(self, what: str, name: str, length: int, step: np.ufunc) -> FloatArray:
        """Fold the newest `length` entries, going on from the longest shorter fold."""
        found = self._found[what, name]
        if self.rows == 1:
            if 0 not in found:
                # One row: all lengths at once, one after the other as below, so the same bits.
                found[0] = step.accumulate(self[name][..., ::-1], axis=-1)
            if length > found[0].shape[-1]:
                raise ValueError(f"length {length} needs more than {found[0].shape[-1]} entries")
            return found[0][..., length - 1 : length]
        if length not in found:
            series = self[name]
            reached = max((k for k in found if k < length), default=1)
            folded = (found[reached] if reached in found else self._at(series, 0)).copy()
            for lag in range(reached, length):
                step(folded, self._at(series, lag), out=folded)
            found[length] = folded
        return found[length]


_GIVEN = ("close", "high", "low", "volume", "flow", "square")
_DERIVED: dict[str, Callable[[Bars], FloatArray]] = {
    "return": lambda bars: bars["close"][..., 1:] / bars["close"][..., :-1] - 1.0,
    "gain": lambda bars: np.maximum(bars["return"], 0.0),
    "loss": lambda bars: np.maximum(-bars["return"], 0.0),
    "moved": lambda bars: np.abs(bars["return"]),
    "return_square": lambda bars: bars["return"] * bars["return"],
    "fall_square": lambda bars: bars["loss"] * bars["loss"],
    "range": lambda bars: (bars["high"] - bars["low"]) / bars["close"],
    "imbalance": lambda bars: divide(bars["flow"], bars["volume"]),
    "turnover": lambda bars: bars["volume"] * bars["close"],
    "up_volume": lambda bars: np.sign(bars["return"]) * bars["volume"][..., 1:],
}


def base_bars(fields: Mapping[str, FloatArray], *, rows: int) -> Bars:
    """Return the candles as they are; `fields` are FIELDS, each of shape (symbols, n)."""
    close, volume, bought = fields["close"], fields["volume"], fields["taker_buy_base"]
    change = close[..., 1:] / close[..., :-1] - 1.0
    given = {
        **{name: fields[name] for name in ("close", "high", "low", "volume")},
        # +volume: all buyers took, -volume: all sellers did.
        "flow": np.where(np.isnan(bought), 0.0, 2.0 * bought - volume),
        "square": change * change,
    }
    return Bars(given, rows=rows, sigma_bars=SIGMA_RETURNS)


def higher_bars(base: Bars, *, ratio: int, phase: int) -> tuple[Bars, np.ndarray]:
    """Return bars of `ratio` candles that had closed, and which of them each row sees.

    Args:
        base: The candles.
        ratio: Candles per higher bar.
        phase: Candles since the newest higher bar closed, 0 to ratio - 1.

    Returns:
        The bars and, for each base row, its place among the bars' rows, shape (rows,): always
        the newest bar that was closed by then.
    """
    size = base["close"].shape[-1]
    usable = size - phase
    count = (usable - 1) // ratio
    age = np.arange(base.rows - 1, -1, -1)
    back = np.maximum(0, -((phase - age) // ratio))
    seen = int(back[0]) + 1
    folded = {
        name: _fold(base[name], count, ratio, phase, how)
        for name, how in (
            ("high", np.maximum),
            ("low", np.minimum),
            ("volume", np.add),
            ("flow", np.add),
            ("square", np.add),
        )
    }
    folded["close"] = _parts(base["close"], count, ratio, phase)[..., ratio - 1]
    sigma_bars = max(2, -(-SIGMA_RETURNS // ratio))
    return Bars(folded, rows=seen, sigma_bars=sigma_bars), seen - 1 - back


def sigma_bars_of(ratio: int) -> int:
    """Return over how many bars of `ratio` candles sigma is taken."""
    return SIGMA_RETURNS + 1 if ratio == 1 else max(2, -(-SIGMA_RETURNS // ratio))


def _parts(series: FloatArray, count: int, ratio: int, phase: int) -> FloatArray:
    end = series.shape[-1] - phase
    cut = series[..., end - count * ratio : end]
    return cut.reshape(*cut.shape[:-1], count, ratio)


def _fold(
    series: FloatArray, count: int, ratio: int, phase: int, how: Callable[..., object]
) -> FloatArray:
    parts = _parts(series, count, ratio, phase)
    folded = parts[..., 0].copy()
    for place in range(1, ratio):
        how(folded, parts[..., place], out=folded)
    return folded
