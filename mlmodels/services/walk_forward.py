"""Models trained on the way through history, each on what was known when it took over."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from markets.domain.timeframe import Timeframe
from mlmodels.domain.dataset import Dataset, build_dataset
from mlmodels.domain.features import Candles, FeatureSpec
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.surroundings import Surroundings
from mlmodels.models import MLSettings
from mlmodels.ports import Progress, Trainer, silent
from mlmodels.selectors import get_settings
from mlmodels.services.fitting import fit_ensemble
from mlmodels.services.inputs import choose_spec_for
from mlmodels.services.materials import half_life_of, label_of
from mlmodels.services.packing import pack_model
from mlmodels.services.serving import ServedModel, read_model
from mlmodels.services.walking import Lesson, TooFewCandles
from mlmodels.services.weighing import ClosesOnly

Mapper = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""``map``, or the ``map`` of a pool of processes: each step is trained on its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkPlan:
    """How to train on the way.

    Attributes:
        spec: The columns, of candles of its length.
        label: What is learned.
        begin_ms: The first close that a model is wanted for.
        every_bars: Candles between two trainings.
        train_bars: Candles of each symbol to train on.
        half_life_ms: After so long a row weighs half; None: all ages weigh the same.
        seed: Same data, same seed: same bits.
    """

    spec: FeatureSpec
    label: LabelSpec
    begin_ms: int
    every_bars: int
    train_bars: int
    half_life_ms: float | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    candles: Mapping[int, ClosesOnly]
    rows: Dataset
    plan: WalkPlan
    trainers: tuple[Trainer, ...]


def plan_like_live(
    symbols: Sequence[str],
    *,
    timeframe: Timeframe,
    horizon_bars: int,
    begin_ms: int,
    every_bars: int,
    train_bars: int,
    has_database: bool = True,
) -> WalkPlan:
    """Return a plan with the columns and the label that a training of these symbols has now.

    Args:
        symbols: The pool, the longest-known first.
        timeframe: Of the candles.
        horizon_bars: Candles ahead.
        begin_ms: As in the plan.
        every_bars: As in the plan.
        train_bars: As in the plan.
        has_database: Read the settings; without one they are the defaults.

    Raises:
        InvalidInput: ``feature_parameters`` of the settings cannot be read.
    """
    settings = get_settings() if has_database else MLSettings()
    spec = choose_spec_for(symbols, timeframe=timeframe, parameters=settings.feature_parameters)
    return WalkPlan(
        spec=spec,
        label=label_of(settings, horizon_bars=horizon_bars),
        begin_ms=begin_ms,
        every_bars=every_bars,
        train_bars=train_bars,
        half_life_ms=half_life_of(settings, timeframe),
    )


def train_walk_forward(
    candles: Mapping[int, Candles],
    *,
    plan: WalkPlan,
    trainers: Sequence[Trainer],
    progress: Progress,
    around: Surroundings | None = None,
    mapper: Mapper = map,
) -> list[tuple[int, ServedModel]]:
    """Return models and the closes from which each serves, ascending.

    At every step the newest `train_bars` candles of each symbol are trained on, as far as their
    labels had ended. A step without enough history has no model of its own: the one before it goes
    on serving. Models are numbered -1, -2, …: they are in no registry.

    Args:
        candles: By instrument id, ascending.
        plan: When, and on how much.
        trainers: The members of the ensemble.
        progress: Hears of the steps.
        around: What ``plan.spec`` needs besides.
        mapper: Runs the steps, one after the other or side by side; the bits are the same.
    """
    rows = rows_to_walk(candles, plan=plan, around=around)
    moments = moments_to_walk(candles, plan=plan, every_ms=plan.every_bars * plan.spec.interval_ms)
    closes = {key: ClosesOnly(item.open_time_ms, item.close) for key, item in candles.items()}
    steps = [
        _Step(
            candles=closes,
            rows=known_rows(rows, moment, plan),
            plan=plan,
            trainers=tuple(trainers),
        )
        for moment in moments
    ]
    by_name = {trainer.name: trainer for trainer in trainers}
    found: list[tuple[int, ServedModel]] = []
    progress(0, len(steps), "training")
    for number, (moment, files) in enumerate(zip(moments, mapper(fit_step, steps), strict=True)):
        progress(number + 1, len(steps), "training")
        if files is None:
            continue
        bundle, members = read_model(files, trainers=by_name)
        model = ServedModel(
            version_id=-1 - len(found), name="walk-forward", bundle=bundle, members=members
        )
        found.append((moment, model))
    return found


def fit_step(step: _Step) -> dict[str, bytes] | None:
    """Train and judge one step; return the model's files, or None with too little history."""
    plan = step.plan
    try:
        fitted = fit_ensemble(
            step.rows,
            trainers=step.trainers,
            horizon_bars=plan.label.horizon_bars,
            interval_ms=plan.spec.interval_ms,
            seed=plan.seed,
            progress=silent,
            lesson=Lesson(names=plan.spec.names, half_life_ms=plan.half_life_ms),
        )
    except TooFewCandles:
        return None
    return pack_model(
        fitted,
        dataset=step.rows,
        candles=step.candles,
        spec=plan.spec,
        label=plan.label,
        seed=plan.seed,
    )


def rows_to_walk(
    candles: Mapping[int, Candles], *, plan: WalkPlan, around: Surroundings | None
) -> Dataset:
    """Return every row that the plan's columns and label make of the candles."""
    given = around or Surroundings()
    return build_dataset(
        candles,
        spec=plan.spec,
        horizon_bars=plan.label.horizon_bars,
        label=plan.label,
        references=given.references,
        series=given.series,
    )


def moments_to_walk(candles: Mapping[int, Candles], *, plan: WalkPlan, every_ms: int) -> range:
    """Return moments in milliseconds, from the plan's begin up to the last close."""
    last_ms = max(int(item.open_time_ms[-1]) for item in candles.values())
    return range(plan.begin_ms, last_ms + plan.spec.interval_ms + 1, every_ms)


def known_rows(rows: Dataset, moment: int, plan: WalkPlan) -> Dataset:
    """Return the rows whose labels had ended by `moment`, not older than the plan wants."""
    oldest = moment - plan.train_bars * plan.spec.interval_ms
    return rows.take(np.flatnonzero((rows.end_ms <= moment) & (rows.start_ms > oldest)))
