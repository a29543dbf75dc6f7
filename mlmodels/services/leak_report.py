"""Every check against knowing the future, on the stored candles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from markets.domain.timeframe import Timeframe
from mlmodels.domain.ensemble import standardize
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.lookahead import Finding, audit_fit, audit_split
from mlmodels.domain.planted_leaks import catch_planted
from mlmodels.models import MLSettings
from mlmodels.services.fitting import split
from mlmodels.services.leaks import find_leaks, newest_unbroken
from mlmodels.services.materials import Material, label_of, load_material
from mlmodels.services.walking import TooFewCandles


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakReport:
    """What was checked and found.

    Attributes:
        features: How many columns.
        closes: How many random closes of each symbol.
        rows: How many labels.
        findings: What knew the future.
        planted: Which planted leaks were caught.
    """

    features: int
    closes: int
    rows: int
    findings: tuple[Finding, ...]
    planted: Mapping[str, bool]

    @property
    def is_clean(self) -> bool:
        """Nothing was found, by checks that can find."""
        return not self.findings and all(self.planted.values())


def check_everything(
    *,
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    settings: MLSettings,
    cuts: int,
    seed: int,
    now: datetime,
) -> LeakReport:
    """Check features of every symbol, labels, splits and fits as a training would use them.

    Raises:
        TooFewCandles: There is no symbol, or no candle to check.
    """
    label = label_of(settings, horizon_bars=settings.horizon_bars)
    material = load_material(
        timeframe=timeframe,
        instrument_ids=instrument_ids,
        label=label,
        settings=settings,
        now=now,
        progress=lambda _done, _total, _message: None,
    )
    findings: list[Finding] = []
    for candles in material.candles.values():
        findings += find_leaks(
            candles, material.references, spec=material.spec, cuts=cuts, seed=seed
        )
    findings += _splits(material, label, interval_ms=timeframe.ms, seed=seed)
    longest = max(material.candles.values(), key=lambda known: len(known.close))
    sample = newest_unbroken(longest, material.spec)
    if len(sample.close) < material.spec.warmup + 2:
        raise TooFewCandles(
            f"The check needs {material.spec.warmup + 2} candles in a row, there are "
            f"{len(sample.close)}. Load more with `manage.py backfill`.",
            timeframe=timeframe.value,
        )
    return LeakReport(
        features=len(material.spec.names),
        closes=cuts,
        rows=len(material.dataset),
        findings=tuple(findings),
        planted=catch_planted(sample, interval_ms=timeframe.ms, seed=seed),
    )


def _splits(material: Material, label: LabelSpec, *, interval_ms: int, seed: int) -> list[Finding]:
    dataset = material.dataset
    embargo_ms = label.horizon_bars * interval_ms
    folds = split(dataset, horizon_bars=label.horizon_bars, interval_ms=interval_ms)
    found = audit_split(
        folds, start_ms=dataset.start_ms, end_ms=dataset.end_ms, embargo_ms=embargo_ms
    )
    if folds:
        fold = folds[0]

        def scaler(features: NDArray[np.float32]) -> bytes:
            mean, scale = standardize(features[fold.train])
            return bytes(mean.tobytes() + scale.tobytes())

        found += audit_fit(
            scaler,
            features=dataset.features,
            test=fold.test,
            rng=np.random.default_rng(seed),
        )
    return found
