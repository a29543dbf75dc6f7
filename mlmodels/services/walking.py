"""Walking forward: fit on the past, speak about the next block, remember what was said."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import TradingError
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.ensemble import average
from mlmodels.domain.splits import Fold
from mlmodels.domain.weights import FloatArray, sample_weight
from mlmodels.ports import FitRows, FittedModel, Progress, Trainer, WalkMemory


class TooFewCandles(TradingError):
    """There is not enough history to train on."""

    code = "MODEL_TOO_FEW_CANDLES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """How the rows are taught.

    Attributes:
        names: Of the columns; trainers of sequences read them.
        half_life_ms: After so long a row weighs half; None: all ages weigh the same.
        memory: Keeps what was said of each block, so that a training that was killed goes on.
    """

    names: Sequence[str] = ()
    half_life_ms: float | None = None
    memory: WalkMemory | None = None


def walk(
    dataset: Dataset,
    folds: Sequence[Fold],
    trainers: Sequence[Trainer],
    *,
    seed: int,
    progress: Progress,
    lesson: Lesson,
) -> tuple[FloatArray, FloatArray]:
    """Return what each member and their mean said of rows not seen, NaN where nobody spoke."""
    alone = np.full((len(trainers), len(dataset)), np.nan)
    margins = np.full(len(dataset), np.nan)
    key = _fingerprint(dataset, trainers, seed, lesson) if lesson.memory else ""
    for step, fold in enumerate(folds):
        progress(step, len(folds) + 1, "walking forward")
        name = f"{key}_{step}_of_{len(folds)}"
        found = lesson.memory.recall(name) if lesson.memory else None
        if found is None or found.shape != (len(trainers), len(fold.test)):
            members = fit_members(dataset.take(fold.train), trainers, seed, lesson)
            rows = dataset.features[fold.test]
            found = np.stack([member.margins(rows) for member in members])
            if lesson.memory:
                lesson.memory.keep(name, found)
        alone[:, fold.test] = found
        margins[fold.test] = average(list(found))
    return alone, margins


def fit_members(
    rows: Dataset, trainers: Sequence[Trainer], seed: int, lesson: Lesson
) -> tuple[FittedModel, ...]:
    """Fit each trainer on the same rows.

    Raises:
        TooFewCandles: The price moved in one direction only.
    """
    is_up = rows.is_up
    if is_up.all() or not is_up.any():
        raise TooFewCandles(
            "Model predictions unavailable: the price moved in one direction only in the training "
            "candles. Load more with `manage.py backfill`.",
            rows=len(rows),
        )
    learned = FitRows(
        features=rows.features,
        names=tuple(lesson.names),
        is_up=is_up,
        outcome=rows.forward_return / rows.horizon_sigma,
        weight=sample_weight(
            uniqueness=rows.uniqueness, start_ms=rows.start_ms, half_life_ms=lesson.half_life_ms
        ),
    )
    return tuple(trainer.fit(learned, seed=seed) for trainer in trainers)


def _fingerprint(dataset: Dataset, trainers: Sequence[Trainer], seed: int, lesson: Lesson) -> str:
    """Return what the answers depend on: another recipe or candle never finds them."""
    parts = [dataset.sha256(), str(seed), repr(lesson.half_life_ms), *lesson.names]
    parts += [f"{one.name}{sorted(one.libraries().items())}{one.figures()}" for one in trainers]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
