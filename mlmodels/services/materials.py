"""The candles and rows that a training is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markets.domain.timeframe import Timeframe
from markets.selectors import count_revisions, load_window
from mlmodels.domain.dataset import Dataset, build_dataset
from mlmodels.domain.features import Candles, FeatureSpec
from mlmodels.domain.label_spec import LabelKind, LabelSpec
from mlmodels.models import MLSettings
from mlmodels.ports import Progress, Trainer
from mlmodels.services.inputs import choose_spec, load_series, load_training_references
from mlmodels.services.walking import TooFewCandles


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a training is made of."""

    spec: FeatureSpec
    candles: Mapping[int, Candles]
    references: Mapping[str, Candles]
    dataset: Dataset
    data_from: datetime
    revisions: int


def label_of(settings: MLSettings, *, horizon_bars: int) -> LabelSpec:
    """Return the label that the settings ask for."""
    return LabelSpec(
        kind=LabelKind(settings.label),
        horizon_bars=horizon_bars,
        width=settings.label_width,
        take_profit=settings.label_take_profit,
        stop_loss=settings.label_stop_loss,
        primary=settings.label_primary,
    )


def columns_of(trainers: Sequence[Trainer]) -> Mapping[str, object] | None:
    """Return the columns that a recipe asks for; None: those of the settings."""
    found = [trainer.columns for trainer in trainers if trainer.columns]
    return found[0] if found else None


def half_life_of(settings: MLSettings, timeframe: Timeframe) -> float | None:
    """Return after how many milliseconds a row weighs half; None: all ages weigh the same."""
    bars = settings.half_life_bars
    return None if bars is None else float(bars) * timeframe.ms


def load_material(
    *,
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    label: LabelSpec,
    settings: MLSettings,
    now: datetime,
    progress: Progress,
    wanted: Mapping[str, object] | None = None,
) -> Material:
    """Load the candles of all symbols and build the rows to train on.

    Args:
        timeframe: Of the candles.
        instrument_ids: Whose.
        label: What is learned.
        settings: How many candles, and which columns.
        now: Until when.
        progress: Hears of each symbol.
        wanted: Columns instead of those of the settings; empty: the default ones.

    Raises:
        TooFewCandles: There is no symbol.
        InvalidInput: ``settings.feature_parameters`` cannot be read.
    """
    limit = settings.train_bars
    candles = _load_candles(timeframe, instrument_ids, now=now, limit=limit, progress=progress)
    spec = choose_spec(
        timeframe=timeframe,
        instrument_ids=instrument_ids,
        parameters=settings.feature_parameters if wanted is None else wanted,
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
    revisions = count_revisions(
        instrument_ids=instrument_ids, timeframe=timeframe, start=start, end=now
    )
    return Material(
        spec=spec,
        candles=candles,
        references=references,
        dataset=dataset,
        data_from=start,
        revisions=revisions,
    )


def _load_candles(
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    *,
    now: datetime,
    limit: int,
    progress: Progress,
) -> dict[int, Candles]:
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
    return candles
