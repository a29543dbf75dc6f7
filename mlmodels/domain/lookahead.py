"""Does anything know the future? Checks that need no trade and no trained model.

Each check changes what a row must not see and asks whether the row changed, bit by bit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.features import Candles
from mlmodels.domain.splits import Fold

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_FIELDS = ("high", "low", "close", "volume", "taker_buy_base")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Closed candles that can be cut and disturbed."""

    open_time_ms: IntArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    taker_buy_base: FloatArray

    @classmethod
    def of(cls, candles: Candles) -> "Series":
        return cls(
            open_time_ms=np.asarray(candles.open_time_ms),
            **{name: np.asarray(getattr(candles, name)) for name in _FIELDS},
        )

    def cut(self, *, after_ms: int | None = None, until_ms: int) -> "Series":
        """Return the candles that open after `after_ms`, up to and with `until_ms`."""
        keep = self.open_time_ms <= until_ms
        if after_ms is not None:
            keep &= self.open_time_ms > after_ms
        return Series(
            open_time_ms=self.open_time_ms[keep],
            **{name: getattr(self, name)[keep] for name in _FIELDS},
        )

    def disturbed(self, *, after_ms: int, rng: np.random.Generator) -> "Series":
        """Return the same candles with noise in place of all that open after `after_ms`."""
        late = self.open_time_ms > after_ms
        count = int(late.sum())
        close = self.close.copy()
        close[late] *= rng.uniform(0.5, 2.0, count)
        spread = rng.uniform(0.0, 0.05, len(close))
        volume = self.volume.copy()
        volume[late] *= rng.uniform(0.1, 10.0, count)
        bought = self.taker_buy_base.copy()
        bought[late] = volume[late] * rng.uniform(0.0, 1.0, count)
        return replace(
            self,
            close=close,
            high=np.where(late, close * (1 + spread), self.high),
            low=np.where(late, close * (1 - spread), self.low),
            volume=volume,
            taker_buy_base=bought,
        )


class Rows(Protocol):
    """Features of some closes."""

    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def close_time_ms(self) -> IntArray: ...


Compute = Callable[[Series, Mapping[str, Series]], Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that knew what it could not.

    Attributes:
        check: Which check found it.
        subject: A feature, or what else.
        detail: Where and how, in words.
    """

    check: str
    subject: str
    detail: str


def audit_features(
    compute: Compute,
    *,
    candles: Series,
    references: Mapping[str, Series],
    names: Sequence[str],
    warmup: int,
    interval_ms: int,
    cuts: int,
    rng: np.random.Generator,
) -> list[Finding]:
    """Check that each row is a function of its own warm-up and of nothing after its close.

    At each of `cuts` random closes three things must leave the row's bits alone: history that
    ends there, noise in place of all that follows, and history that begins with the warm-up.

    Args:
        compute: What is checked; row i belongs to candle ``i + warmup - 1``.
        candles: At least ``warmup + 2`` of them, without a gap.
        references: Candles of other symbols.
        names: Of the features.
        warmup: Closed candles that a row is said to need.
        interval_ms: Of the candles.
        cuts: How many closes.
        rng: Chooses them, and the noise.
    """
    whole = compute(candles, references)
    places = rng.choice(
        np.arange(warmup, len(candles.close)),
        size=min(cuts, len(candles.close) - warmup),
        replace=False,
    )
    found: dict[tuple[str, str], Finding] = {}
    for place in sorted(places.tolist()):
        last = int(candles.open_time_ms[place - 1])
        expected = whole.values[place - warmup]
        first = last - warmup * interval_ms
        changes: dict[str, Callable[[Series], Series]] = {
            "truncate": partial(Series.cut, until_ms=last),
            "perturb": partial(Series.disturbed, after_ms=last, rng=rng),
            "warm-up": partial(Series.cut, after_ms=first, until_ms=last),
        }
        for check, change in changes.items():
            others = {name: change(known) for name, known in references.items()}
            seen = compute(change(candles), others)
            at = np.flatnonzero(seen.close_time_ms == last + interval_ms)
            if not len(at):
                found[check, "*"] = Finding(
                    check=check, subject="*", detail=f"no row for the close at {last + interval_ms}"
                )
                continue
            differs = _differs(seen.values[at[0]], expected)
            for index in np.flatnonzero(differs).tolist():
                name = names[index]
                found.setdefault(
                    (check, name),
                    Finding(
                        check=check,
                        subject=name,
                        detail=f"at the close {last + interval_ms}: {expected[index]!r} with all "
                        f"candles, {seen.values[at[0]][index]!r} without what it must not need",
                    ),
                )
    return list(found.values())


def audit_split(
    folds: Sequence[Fold], *, start_ms: IntArray, end_ms: IntArray, embargo_ms: int
) -> list[Finding]:
    """Check that no training label touches the time of a test row, embargo included."""
    found = []
    for number, fold in enumerate(folds):
        if not len(fold.test) or not len(fold.train):
            continue
        # Sorted test intervals and a running maximum of their ends answer overlap in one search.
        order = np.argsort(start_ms[fold.test], kind="stable")
        begins = start_ms[fold.test][order]
        ends = np.maximum.accumulate(end_ms[fold.test][order])
        left = start_ms[fold.train] - embargo_ms
        right = end_ms[fold.train] + embargo_ms
        before = np.searchsorted(begins, right, side="right")
        touched = (before > 0) & (ends[np.maximum(before - 1, 0)] > left)
        inside = np.isin(fold.train, fold.test)
        bad = int((touched | inside).sum())
        if bad:
            found.append(
                Finding(
                    check="split",
                    subject=f"fold {number}",
                    detail=f"{bad} of {len(fold.train)} training labels overlap the test",
                )
            )
    return found


def audit_fit(
    fit: Callable[[NDArray[np.float32]], bytes],
    *,
    features: NDArray[np.float32],
    test: NDArray[np.intp],
    rng: np.random.Generator,
) -> list[Finding]:
    """Check that what is fitted does not depend on the test rows: scalers, trees, calibration.

    Args:
        fit: Fits on the training rows among all `features` and returns what it learned.
        features: shape (n, features), training and test rows.
        test: Positions of the test rows.
        rng: Makes the noise that replaces them.
    """
    disturbed = features.copy()
    disturbed[test] = rng.normal(0.0, 5.0, disturbed[test].shape).astype(np.float32)
    if fit(features) == fit(disturbed):
        return []
    return [
        Finding(
            check="fit",
            subject="fitted parameters",
            detail="they changed when only test rows did",
        )
    ]


def audit_lag(*, ic: float | None, delayed_ic: float | None, error: float) -> list[Finding]:
    """Check that acting one candle later is no better, and does not lose everything.

    Args:
        ic: Correlation of forecasts with outcomes.
        delayed_ic: The same with each forecast used one candle later.
        error: Standard error of the correlation.
    """
    if ic is None or delayed_ic is None:
        return []
    if delayed_ic > ic + 3.0 * error and delayed_ic > 0:
        detail = f"delayed by a candle it is better: {delayed_ic:.3f} against {ic:.3f}"
        return [Finding(check="lag", subject="forecast", detail=detail)]
    if ic > 0.3 and delayed_ic < 0.1 * ic:
        detail = f"delayed by a candle nothing is left: {delayed_ic:.3f} of {ic:.3f}"
        return [Finding(check="lag", subject="forecast", detail=detail)]
    return []


def audit_series(name: str, *, available_ms: IntArray, written_ms: IntArray) -> list[Finding]:
    """Check that each value was written down by the time it is said to have been available.

    A count of likes that was read a week later and is dated back to the post knows the future.
    """
    late = int((written_ms > available_ms).sum())
    if not late:
        return []
    return [
        Finding(
            check="series",
            subject=name,
            detail=f"{late} of {len(available_ms)} values were written after they were available",
        )
    ]


def _differs(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Compare bits, so that NaN equals itself and -0 differs from 0."""
    found: NDArray[np.bool_] = left.view(np.uint32) != right.view(np.uint32)
    return found
