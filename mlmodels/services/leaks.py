"""The leak suite that every version passes before it may predict."""

from collections.abc import Mapping

import numpy as np

from mlmodels.domain.evaluation import information_coefficient
from mlmodels.domain.features import Candles, FeatureMatrix, FeatureSpec, compute
from mlmodels.domain.gates import Gate
from mlmodels.domain.lookahead import (
    Finding,
    Series,
    audit_features,
    audit_lag,
    audit_split,
)
from mlmodels.domain.statistics import hac_lags
from mlmodels.services.fitting import FittedEnsemble, split
from mlmodels.services.materials import Material

# Random closes before each promotion; `manage.py lookahead_check` takes more.
CUTS = 6
_ROWS = 400


def find_leaks(
    candles: Candles,
    references: Mapping[str, Candles],
    *,
    spec: FeatureSpec,
    cuts: int,
    seed: int,
) -> list[Finding]:
    """Check the features on the newest unbroken candles of one symbol.

    Returns nothing when there are too few of them for a single row and something to compare.
    """
    own = newest_unbroken(candles, spec)
    if len(own.close) < spec.warmup + 2:
        return []
    first, last = int(own.open_time_ms[0]) - 1, int(own.open_time_ms[-1])

    def features(series: Series, given: Mapping[str, Series]) -> FeatureMatrix:
        return compute(series, spec, references=given)

    return audit_features(
        features,
        candles=own,
        references={
            symbol: Series.of(known).cut(after_ms=first, until_ms=last)
            for symbol, known in references.items()
        },
        names=spec.names,
        warmup=spec.warmup,
        interval_ms=spec.interval_ms,
        cuts=cuts,
        rng=np.random.default_rng(seed),
    )


def check_leaks(material: Material, fitted: FittedEnsemble, *, seed: int) -> tuple[Gate, ...]:
    """Return one gate each for features, splits and the lag of the forecasts."""
    spec, dataset = material.spec, material.dataset
    newest = max(material.candles.values(), key=lambda known: len(known.close))
    features = find_leaks(newest, material.references, spec=spec, cuts=CUTS, seed=seed)
    horizon_bars = fitted.horizon_bars
    embargo_ms = horizon_bars * spec.interval_ms
    folds = split(dataset, horizon_bars=horizon_bars, interval_ms=spec.interval_ms)
    labels = audit_split(
        folds, start_ms=dataset.start_ms, end_ms=dataset.end_ms, embargo_ms=embargo_ms
    )
    return (
        _gate("no_leak_features", features),
        _gate("no_leak_labels", labels),
        _gate("no_leak_lag", _lag(fitted)),
    )


def _gate(name: str, found: list[Finding]) -> Gate:
    return Gate(name=name, number=float(len(found)), needed="0 findings", is_passed=not found)


def _lag(fitted: FittedEnsemble) -> list[Finding]:
    """Compare the forecasts with the same forecasts used one candle later."""
    judged = fitted.judged
    lags = hac_lags(fitted.horizon_bars)
    forecast = judged.p_up - judged.base_rate
    delayed = np.zeros_like(forecast)
    for group in np.unique(judged.group).tolist():
        mask = np.flatnonzero(judged.group == group)
        delayed[mask[1:]] = forecast[mask[:-1]]
    now = information_coefficient(judged, forecast, lags=lags)
    later = information_coefficient(judged, delayed, lags=lags)
    return audit_lag(
        ic=now.mean if now else None,
        delayed_ic=later.mean if later else None,
        error=now.standard_error if now else 0.0,
    )


def newest_unbroken(candles: Candles, spec: FeatureSpec) -> Series:
    """Return the newest candles without a gap, not more than the checks need."""
    series = Series.of(candles)
    if not len(series.close):
        return series
    breaks = np.flatnonzero(np.diff(series.open_time_ms) != spec.interval_ms)
    start = int(breaks[-1]) + 1 if len(breaks) else 0
    start = max(start, len(series.close) - spec.warmup - _ROWS)
    return series.cut(
        after_ms=int(series.open_time_ms[start]) - 1, until_ms=int(series.open_time_ms[-1])
    )
