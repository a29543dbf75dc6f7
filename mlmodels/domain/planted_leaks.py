"""Mistakes that people make, planted on purpose: checks that miss one of them prove nothing."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.features import FeatureMatrix, FeatureSpec, compute
from mlmodels.domain.lookahead import Series, audit_features, audit_series, audit_split
from mlmodels.domain.splits import Fold

FloatArray = NDArray[np.float64]

# Of a short spec: what is planted does not depend on the honest columns.
_NAMES = ("return_1", "return_6", "rsi_14")
_CUTS = 8


def catch_planted(candles: Series, *, interval_ms: int, seed: int) -> dict[str, bool]:
    """Plant each of six leaks and tell which of them the checks catch.

    Args:
        candles: Some hundred closed candles without a gap.
        interval_ms: Of the candles.
        seed: Chooses the closes.
    """
    columns: dict[str, Callable[[Series], FloatArray]] = {
        "next return": _next_return,
        "centred window": _centred_window,
        "full-sample scaler": _full_sample_scaler,
        "unclosed longer candle": _unclosed_bar,
    }
    caught = {
        name: _is_caught(candles, column, interval_ms=interval_ms, seed=seed)
        for name, column in columns.items()
    }
    return {
        **caught,
        "unpurged label": bool(_unpurged(candles, interval_ms=interval_ms)),
        "final engagement counts": bool(_final_counts(candles)),
    }


def _is_caught(
    candles: Series, column: Callable[[Series], FloatArray], *, interval_ms: int, seed: int
) -> bool:
    spec = FeatureSpec(interval_ms=interval_ms, names=_NAMES)

    def leaking(series: Series, references: Mapping[str, Series]) -> FeatureMatrix:
        found = compute(series, spec, references=references)
        found.values[:, 0] = column(series)[spec.warmup - 1 :]
        return found

    findings = audit_features(
        leaking,
        candles=candles,
        references={},
        names=spec.names,
        warmup=spec.warmup,
        interval_ms=interval_ms,
        cuts=_CUTS,
        rng=np.random.Generator(np.random.PCG64(seed)),
    )
    # The honest columns beside it must not be blamed.
    return {finding.subject for finding in findings} == {_NAMES[0]}


def _next_return(series: Series) -> FloatArray:
    following = np.append(series.close[1:], series.close[-1])
    found: FloatArray = following / series.close - 1.0
    return found


def _centred_window(series: Series) -> FloatArray:
    found: FloatArray = np.convolve(series.close, np.ones(5) / 5.0, "same") / series.close - 1.0
    return found


def _full_sample_scaler(series: Series) -> FloatArray:
    found: FloatArray = (series.close - series.close.mean()) / series.close.std()
    return found


def _unclosed_bar(series: Series) -> FloatArray:
    """Return the close of the four-candle bar that each candle lies in, before it has closed."""
    last = np.minimum((np.arange(len(series.close)) // 4) * 4 + 3, len(series.close) - 1)
    found: FloatArray = series.close[last] / series.close - 1.0
    return found


def _unpurged(candles: Series, *, interval_ms: int) -> list[object]:
    """Train right up to the test although labels look twelve candles ahead."""
    start = candles.open_time_ms + interval_ms
    half = len(start) // 2
    fold = Fold(np.arange(half), np.arange(half, len(start)))
    return list(audit_split([fold], start_ms=start, end_ms=start + 12 * interval_ms, embargo_ms=0))


def _final_counts(candles: Series) -> list[object]:
    """Date counts that were read a day later back to the post."""
    posted = candles.open_time_ms
    return list(audit_series("likes", available_ms=posted, written_ms=posted + 86_400_000))
