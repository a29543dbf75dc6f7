"""The candles and rows that a training is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markets.domain.timeframe import Timeframe
from markets.selectors import load_window
from mlmodels.domain.dataset import Dataset, build_dataset
from mlmodels.domain.features import Candles, FeatureSpec
from mlmodels.domain.label_spec import LabelKind, LabelSpec
from mlmodels.models import MLSettings
from mlmodels.ports import Progress
from mlmodels.services.fitting import TooFewCandles
from mlmodels.services.inputs import choose_spec, load_series, load_training_references


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a training is made of."""

    spec: FeatureSpec
    candles: Mapping[int, Candles]
    references: Mapping[str, Candles]
    dataset: Dataset


def label_of(settings: MLSettings, *, horizon_bars: int) -> LabelSpec:
    """Return the label that the settings ask for."""
    return LabelSpec(
        kind=LabelKind(settings.label),
        horizon_bars=horizon_bars,
        width=settings.label_width,
        take_profit=settings.label_take_profit,
        stop_loss=settings.label_stop_loss,
    )


def load_material(
    *,
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    label: LabelSpec,
    settings: MLSettings,
    now: datetime,
    progress: Progress,
) -> Material:
    """Load the candles of all symbols and build the rows to train on.

    Raises:
        TooFewCandles: There is no symbol.
        InvalidInput: ``settings.feature_parameters`` cannot be read.
    """
    limit = settings.train_bars
    candles: dict[int, Candles] = {}
    for step, instrument_id in enumerate(instrument_ids):
        progress(step, len(instrument_ids), "loading candles")
        candles[instrument_id] = load_window(
            instrument_id=instrument_id, timeframe=timeframe, end=now, limit=limit
        )
    if not candles:
        raise TooFewCandles(
            "Model predictions unavailable: no symbol to train on. Subscribe to one first.",
            scope=timeframe.value,
        )
    spec = choose_spec(
        timeframe=timeframe,
        instrument_ids=instrument_ids,
        parameters=settings.feature_parameters,
    )
    start = now - limit * timeframe.delta
    series = load_series(spec, instrument_ids=instrument_ids, start=start, end=now)
    references = load_training_references(
        spec, timeframe=timeframe, known=candles, end=now, limit=limit
    )
    dataset = build_dataset(
        candles,
        spec=spec,
        horizon_bars=label.horizon_bars,
        label=label,
        references=references,
        series=series,
    )
    return Material(spec=spec, candles=candles, references=references, dataset=dataset)
