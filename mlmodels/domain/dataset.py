"""Rows to train on: features of the past joined with labels of the future, symbols pooled."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.features import Candles, FeatureMatrix, FeatureSpec, PointSeries, compute
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.labels import make_labels
from mlmodels.domain.primary import sides_of
from mlmodels.domain.weights import average_uniqueness

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOMENTUM_BARS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Training rows in order of time; each field has n rows.

    Attributes:
        features: shape (n, features), float32.
        forward_return: Fraction to the end of the label; of a label with a primary rule that of
            standing on the rule's side, and so are `momentum` and `reversal`.
        horizon_sigma: Volatility over the horizon, known at the close, above 0.
        start_ms: The close.
        end_ms: When the label was known.
        group: The instrument.
        momentum: Return of the last day of candles (fraction): a forecast that needs no model.
        reversal: The last candle's return with its sign turned: another one.
        uniqueness: Share of each label that overlaps no other; their sum is the effective n.
    """

    features: NDArray[np.float32]
    forward_return: FloatArray
    horizon_sigma: FloatArray
    start_ms: IntArray
    end_ms: IntArray
    group: IntArray
    momentum: FloatArray
    reversal: FloatArray
    uniqueness: FloatArray

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
    candles: Mapping[int, Candles],
    *,
    spec: FeatureSpec,
    horizon_bars: int,
    label: LabelSpec | None = None,
    references: Mapping[str, Candles] | None = None,
    series: Mapping[int, Mapping[str, PointSeries]] | None = None,
) -> Dataset:
    """Pool the rows of all symbols, in order of time, then of instrument.

    Left out are rows with a candle missing in their warm-up or on the way to their label, and rows
    of a market that did not move: they say nothing about direction.

    Args:
        candles: Closed candles by instrument id.
        spec: Of the candles' length.
        horizon_bars: Candles ahead, at most.
        label: What ends a label; the horizon if nothing is given.
        references: Candles of the symbols that ``spec.symbols`` names.
        series: External series by instrument id.
    """
    wanted = label or LabelSpec(horizon_bars=horizon_bars)
    if wanted.horizon_bars != horizon_bars:
        raise ValueError(f"horizon_bars was {horizon_bars}, the label's {wanted.horizon_bars}")
    parts = [
        _rows(
            group,
            candles[group],
            spec=spec,
            label=wanted,
            references=references,
            series=(series or {}).get(group),
        )
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


def _rows(
    group: int,
    candles: Candles,
    *,
    spec: FeatureSpec,
    label: LabelSpec,
    references: Mapping[str, Candles] | None,
    series: Mapping[str, PointSeries] | None,
) -> Dataset:
    features = compute(candles, spec, references=references, series=series)
    skip = spec.warmup - 1
    close = candles.close
    sigma = np.zeros(len(close))
    sigma[skip:] = features.sigma[: max(0, len(close) - skip)]
    side = _sides(label, features, spec, count=len(close))
    labels = make_labels(candles, label, interval_ms=spec.interval_ms, sigma=sigma, side=side)
    rows = max(0, len(labels.start_ms) - skip)
    known = slice(skip, skip + rows)
    horizon_sigma = features.sigma[:rows] * np.sqrt(float(label.horizon_bars))
    usable = features.is_complete[:rows] & labels.is_complete[known] & (horizon_sigma > 0)
    start, end = labels.start_ms[known][usable], labels.end_ms[known][usable]
    groups = np.full(int(usable.sum()), group, np.int64)
    return Dataset(
        features=features.values[:rows][usable],
        forward_return=labels.forward_return[known][usable],
        horizon_sigma=horizon_sigma[usable],
        start_ms=start,
        end_ms=end,
        group=groups,
        momentum=(_past_return(close, MOMENTUM_BARS) * (1.0 if side is None else side))[known][
            usable
        ],
        reversal=(-_past_return(close, 1) * (1.0 if side is None else side))[known][usable],
        uniqueness=average_uniqueness(start_ms=start, end_ms=end, group=groups),
    )


def _sides(
    label: LabelSpec, features: FeatureMatrix, spec: FeatureSpec, *, count: int
) -> FloatArray | None:
    """Return the primary rule's side at each of `count` closes, up where it has no row yet."""
    found = sides_of(label, features.values, spec.names)
    if found is None:
        return None
    side = np.ones(count)
    side[count - len(found) :] = found
    return side


def _past_return(close: FloatArray, bars: int) -> FloatArray:
    """Return over the past `bars` candles, shape (n,); 0 where there are fewer."""
    found = np.zeros(len(close))
    found[bars:] = close[bars:] / close[:-bars] - 1.0
    return found
