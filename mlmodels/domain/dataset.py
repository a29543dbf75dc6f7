"""Rows to train on: features of the past joined with labels of the future, symbols pooled."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.features import Candles, FeatureSpec, compute
from mlmodels.domain.labels import forward_labels

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Training rows in order of time; each field has n rows.

    Attributes:
        features: shape (n, features), float32.
        forward_return: Fraction over the horizon.
        horizon_sigma: Volatility over the horizon, known at the close, above 0.
        start_ms: The close.
        end_ms: When the label was known.
        group: The instrument.
    """

    features: NDArray[np.float32]
    forward_return: FloatArray
    horizon_sigma: FloatArray
    start_ms: IntArray
    end_ms: IntArray
    group: IntArray

    def __len__(self) -> int:
        return len(self.group)

    @property
    def is_up(self) -> NDArray[np.bool_]:
        """Return which rows rose."""
        return self.forward_return > 0

    def take(self, positions: NDArray[np.intp]) -> "Dataset":
        """Return the rows at `positions`."""
        return Dataset(**{f.name: getattr(self, f.name)[positions] for f in fields(self)})

    def sha256(self) -> str:
        """Return a fingerprint of every number: equal data gives equal models."""
        digest = hashlib.sha256()
        for field in fields(self):
            digest.update(field.name.encode())
            digest.update(np.ascontiguousarray(getattr(self, field.name)).tobytes())
        return digest.hexdigest()


def build_dataset(
    candles: Mapping[int, Candles], *, spec: FeatureSpec, horizon_bars: int
) -> Dataset:
    """Pool the rows of all symbols, in order of time, then of instrument.

    Left out are rows with a candle missing in their warm-up or on the way to their label, and rows
    of a market that did not move: they say nothing about direction.

    Args:
        candles: Closed candles by instrument id.
        spec: Of the candles' length.
        horizon_bars: Candles ahead.
    """
    parts = [
        _rows(group, candles[group], spec=spec, horizon_bars=horizon_bars)
        for group in sorted(candles)
    ]
    if not parts:
        raise ValueError("a dataset needs the candles of at least one instrument")
    pooled = Dataset(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(Dataset)
        }
    )
    return pooled.take(np.lexsort((pooled.group, pooled.start_ms)))


def _rows(group: int, candles: Candles, *, spec: FeatureSpec, horizon_bars: int) -> Dataset:
    features = compute(candles, spec)
    labels = forward_labels(candles, horizon_bars=horizon_bars, interval_ms=spec.interval_ms)
    skip = spec.warmup - 1
    rows = max(0, len(labels.start_ms) - skip)
    known = slice(skip, skip + rows)
    sigma = features.sigma[:rows] * np.sqrt(float(horizon_bars))
    usable = features.is_complete[:rows] & labels.is_complete[known] & (sigma > 0)
    return Dataset(
        features=features.values[:rows][usable],
        forward_return=labels.forward_return[known][usable],
        horizon_sigma=sigma[usable],
        start_ms=labels.start_ms[known][usable],
        end_ms=labels.end_ms[known][usable],
        group=np.full(int(usable.sum()), group, np.int64),
    )
