"""Fit an ensemble and judge it, walking forward through time. Knows no database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.calibration import CalibrationSet, FloatArray, fit_calibrations
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.ensemble import average
from mlmodels.domain.evaluation import (
    Evaluation,
    OutOfFold,
    evaluate,
    needed_t_for,
)
from mlmodels.domain.gates import Gate, effective_rows_gate
from mlmodels.domain.lifecycle import Verdict
from mlmodels.domain.splits import Fold, walk_forward
from mlmodels.ports import Features, FittedModel, Progress, Trainer
from mlmodels.services.walking import Lesson, TooFewCandles, fit_members, walk

FOLDS = 5
FIRST_FRACTION = 0.3
# The first fit sees a share of the rows; with fewer it would learn nothing.
MIN_ROWS = 1500
# A symbol is calibrated on its own from this many independent rows on.
OWN_CALIBRATION_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedEnsemble:
    """Members that saw all rows, and what walking forward said about the recipe.

    Attributes:
        members: Fitted on every row.
        calibrations: Fitted on predictions of rows that the predicting members had not seen.
        pooled: Judgement of all symbols together.
        by_group: Judgement of each symbol.
        judged: The predictions that were judged.
        judged_rows: Their positions in the dataset.
        horizon_bars: Candles ahead at most.
    """

    members: tuple[FittedModel, ...]
    calibrations: CalibrationSet
    pooled: Evaluation
    by_group: dict[int, Evaluation]
    judged: OutOfFold
    judged_rows: NDArray[np.intp]
    horizon_bars: int


def fit_ensemble(
    dataset: Dataset,
    *,
    trainers: Sequence[Trainer],
    horizon_bars: int,
    interval_ms: int,
    seed: int,
    progress: Progress,
    lesson: Lesson | None = None,
) -> FittedEnsemble:
    """Fit and judge; the same dataset, trainers and seed give the same bits.

    Every block of the walk is predicted by members that saw only rows whose label had ended a full
    horizon before it, and calibrated on earlier blocks under the same rule. The members that serve
    are then fitted on everything, so that the newest weeks are not wasted, and their calibration
    is that of the walk.

    Args:
        dataset: The rows.
        trainers: The members.
        horizon_bars: Candles ahead.
        interval_ms: Of the candles.
        seed: Same data, same seed: same bits.
        progress: Hears of each block.
        lesson: How the rows are taught; by default all ages weigh the same.

    Raises:
        TooFewCandles: Fewer than `MIN_ROWS` rows, or too few of them in some block.
    """
    if len(dataset) < MIN_ROWS:
        raise TooFewCandles(
            f"Model predictions unavailable: training needs {MIN_ROWS} usable candles, "
            f"there are {len(dataset)}. Load more with `manage.py backfill`.",
            rows=len(dataset),
            needed=MIN_ROWS,
        )
    folds = split(dataset, horizon_bars=horizon_bars, interval_ms=interval_ms)
    taught = lesson or Lesson()
    alone, margins = walk(dataset, folds, trainers, seed=seed, progress=progress, lesson=taught)
    progress(FOLDS, FOLDS + 1, "fitting on everything")
    members = fit_members(dataset, trainers, seed, taught)
    scored = np.flatnonzero(np.isfinite(margins))
    own_rows = OWN_CALIBRATION_ROWS * horizon_bars
    embargo_ms = horizon_bars * interval_ms
    judged, rows = _calibrate_forward(dataset, margins, folds, own_rows, embargo_ms)
    pooled, by_group = _judge(
        judged,
        dataset.take(rows),
        members={
            trainer.name: said[rows]
            for trainer, said in zip(trainers, alone, strict=True)
            if len(trainers) > 1
        },
        gates=(effective_rows_gate(float(dataset.uniqueness.sum())),),
        horizon_bars=horizon_bars,
    )
    progress(FOLDS + 1, FOLDS + 1, "judged")
    return FittedEnsemble(
        members=members,
        calibrations=_calibrations(dataset.take(scored), margins[scored], own_rows),
        pooled=pooled,
        by_group=by_group,
        judged=judged,
        judged_rows=rows,
        horizon_bars=horizon_bars,
    )


def split(dataset: Dataset, *, horizon_bars: int, interval_ms: int) -> list[Fold]:
    """Return the walk: purged, with an embargo of one horizon."""
    return walk_forward(
        start_ms=dataset.start_ms,
        end_ms=dataset.end_ms,
        folds=FOLDS,
        first_fraction=FIRST_FRACTION,
        embargo_ms=horizon_bars * interval_ms,
    )


def ensemble_margins(members: Sequence[FittedModel], features: Features) -> FloatArray:
    """Return the members' mean log-odds, shape (n,)."""
    return average([member.margins(features) for member in members])


def importance(members: Sequence[FittedModel], features: Features) -> FloatArray:
    """Return how far each feature moves the mean log-odds on average, shape (features,)."""
    moved = average([member.contributions(features) for member in members])
    found: FloatArray = np.abs(moved).mean(axis=0)
    return found


def _judge(
    judged: OutOfFold,
    rows: Dataset,
    *,
    members: Mapping[str, FloatArray],
    gates: tuple[Gate, ...],
    horizon_bars: int,
) -> tuple[Evaluation, dict[int, Evaluation]]:
    """Judge all symbols together and each alone, against forecasts that need no model."""
    baselines = {
        "momentum_24": rows.momentum / rows.horizon_sigma,
        "reversal_1": rows.reversal / rows.horizon_sigma,
    }
    pooled = evaluate(
        judged,
        horizon_bars=horizon_bars,
        baselines=baselines,
        members=members,
        given_gates=gates,
    )
    groups = np.unique(judged.group).tolist()
    needed_t = needed_t_for(len(groups), is_pooled_skilled=pooled.verdict is Verdict.SKILLED)
    by_group = {}
    for group in groups:
        mask = judged.group == group
        by_group[group] = evaluate(
            judged.where(mask),
            horizon_bars=horizon_bars,
            baselines={name: column[mask] for name, column in baselines.items()},
            members={name: column[mask] for name, column in members.items()},
            given_gates=gates,
            needed_t=needed_t,
        )
    return pooled, by_group


def _calibrations(rows: Dataset, margins: FloatArray, own_rows: int) -> CalibrationSet:
    return fit_calibrations(
        margins=margins,
        forward_return=rows.forward_return,
        horizon_sigma=rows.horizon_sigma,
        group=rows.group,
        own_rows=own_rows,
    )


def _calibrate_forward(
    dataset: Dataset, margins: FloatArray, folds: list[Fold], own_rows: int, embargo_ms: int
) -> tuple[OutOfFold, NDArray[np.intp]]:
    """Calibrate each block on the blocks before it; the first has none and is not judged."""
    parts: list[OutOfFold] = []
    positions: list[NDArray[np.intp]] = []
    for fold in folds[1:]:
        begin = int(dataset.start_ms[fold.test].min())
        past = np.flatnonzero(np.isfinite(margins) & (dataset.end_ms + embargo_ms < begin))
        if len(past) == 0:
            continue
        known, block = dataset.take(past), dataset.take(fold.test)
        calibrations = _calibrations(known, margins[past], own_rows)
        found = calibrations.apply(margins[fold.test], block.horizon_sigma, block.group)
        positions.append(fold.test)
        parts.append(
            OutOfFold(
                time_ms=block.start_ms,
                group=block.group,
                p_up=found.p_up,
                base_rate=_base_rates(known, block.group),
                forward_return=block.forward_return,
                expected_return=found.expected_return,
                horizon_sigma=block.horizon_sigma,
                lower=found.lower,
                upper=found.upper,
            )
        )
    if not parts:
        raise TooFewCandles(
            "Model predictions unavailable: the candles cover too short a time to judge a model. "
            "Load more with `manage.py backfill`.",
            rows=len(dataset),
        )
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in OutOfFold.__slots__
    }
    return OutOfFold(**joined), np.concatenate(positions)


def _base_rates(known: Dataset, group: NDArray[np.int64]) -> FloatArray:
    """Return each row's symbol's past share of ups; of all symbols where it has no past."""
    is_up = known.is_up
    rates = np.full(len(group), float(is_up.mean()))
    for key in np.unique(group).tolist():
        own = is_up[known.group == key]
        if len(own):
            rates[group == key] = float(own.mean())
    return rates
