"""Search over features, labels, models and decisions: one trial at a time, by any worker."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
import optuna
from django.db import transaction
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from core.clock import from_ms
from core.errors import TradingError
from core.memory import memory_cap
from core.processes import is_gone, own_identity
from markets.domain.timeframe import Timeframe
from mlmodels.domain.acting import act
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.lifecycle import SearchStatus
from mlmodels.domain.overfitting import block_sums
from mlmodels.domain.search_space import FEATURES, Choice, choose
from mlmodels.models import Search, Trial
from mlmodels.ports import Trainer, silent
from mlmodels.selectors import get_settings
from mlmodels.services.announcements import announce_training
from mlmodels.services.fitting import FittedEnsemble, fit_ensemble
from mlmodels.services.materials import Material, load_material
from mlmodels.services.recording import note_trial
from mlmodels.services.search_journal import SearchJournal
from mlmodels.services.search_orders import get_search
from mlmodels.services.search_report import write_report
from mlmodels.services.walking import Lesson

logger = logging.getLogger(__name__)

# The newest quarter is seen by no trial: the chosen configuration is judged on it, once.
INSIDE = 0.75
# A trial of another machine that takes longer than this on the wall was lost.
LOST_AFTER = timedelta(hours=1)
MakeTrainers = Callable[[str, Mapping[str, float]], Sequence[Trainer]]


def run_trial(*, search_id: int, make_trainers: MakeTrainers, now: datetime) -> bool:
    """Judge one more configuration, or write the report when there is none left.

    Args:
        search_id: Which search.
        make_trainers: The trainers of a recipe with some figures turned.
        now: Time of the market.

    Returns:
        Whether somebody should be asked to go on.

    Raises:
        NotFound: There is no such search.
    """
    search = get_search(search_id)
    if search.status != SearchStatus.RUNNING:
        return False
    study = load_study(search)
    _bury_lost(study)
    open_trials, ended = _count(study)
    if ended + open_trials >= search.wanted:
        if ended >= search.wanted:
            _finish(search, make_trainers, now=now)
        return False
    trial = study.ask()
    trial.set_user_attr("worker", own_identity())
    Search.objects.filter(pk=search.pk).update(touched_at=now)
    _judge(search, study, trial, make_trainers, now=now)
    Search.objects.filter(pk=search.pk).update(touched_at=now)
    announce_training(
        scope=search.scope,
        model_name=f"search {search.pk}",
        done=ended + 1,
        total=search.wanted,
        stage="searching",
        at=now,
    )
    return True


def load_study(search: Search) -> optuna.Study:
    """Return the optimiser as its journal has it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.JournalStorage(SearchJournal(search.pk))
    studies = storage.get_all_studies()
    begun = len(storage.get_all_trials(studies[0]._study_id, deepcopy=False)) if studies else 0
    # Each proposal has its own luck: one after the other the same seed gives the same search.
    sampler = optuna.samplers.TPESampler(
        seed=search.seed * 100_003 + begun, constant_liar=True, n_startup_trials=8
    )
    return optuna.create_study(
        study_name="search",
        storage=storage,
        sampler=sampler,
        direction="maximize",
        load_if_exists=True,
    )


def _judge(
    search: Search,
    study: optuna.Study,
    trial: optuna.Trial,
    make_trainers: MakeTrainers,
    *,
    now: datetime,
) -> None:
    """Fit and judge what the trial chooses, and tell the optimiser and the ledger."""
    choice = choose(trial, recipes=search.recipes, horizons=search.horizons)
    try:
        with memory_cap(get_settings().memory_limit_mb):
            material = material_of(search, choice)
            inside, _ = cut(material, search)
            fitted = fit_choice(search, choice, material, inside, make_trainers)
    except (TradingError, ValueError, MemoryError) as error:
        logger.warning("search.trial_failed search_id=%s error=%s", search.pk, error)
        trial.set_user_attr("error", str(error)[:500])
        study.tell(trial, state=TrialState.FAIL)
        return
    acted = act(
        fitted.judged,
        horizon_bars=choice.label.horizon_bars,
        cost=search.cost_bps / 10_000,
        min_confidence=choice.min_confidence,
        min_edge_bps=choice.min_edge_bps,
    )
    score = acted.test.t or 0.0
    first, edge = bounds_ms(material)
    with transaction.atomic():
        row = note_trial(
            scope=search.scope,
            recipe=choice.recipe,
            label=choice.label,
            choice=choice.to_json(),
            data_sha256=inside.sha256(),
            found=fitted.pooled,
            run=None,
            now=now,
        )
        # The walk's first third is only trained on: the blocks are those of the rest.
        begin = first + (edge - first) // 3
        Trial.objects.filter(pk=row.pk).update(
            search=search,
            search_number=trial.number,
            score=score,
            sharpe=acted.sharpe,
            blocks=block_sums(acted.net, acted.time_ms, begin_ms=begin, end_ms=edge),
        )
        trial.set_user_attr("trades", acted.trades)
        study.tell(trial, score)


def material_of(search: Search, choice: Choice) -> Material:
    """Return the candles and rows of a configuration."""
    given = FEATURES[choice.features]
    settings = get_settings()
    return load_material(
        timeframe=Timeframe(search.scope),
        instrument_ids=search.instrument_ids,
        label=choice.label,
        settings=settings,
        now=search.until,
        progress=silent,
        wanted=settings.feature_parameters if given is None else given,
    )


def bounds_ms(material: Material) -> tuple[int, int]:
    """Return where the candles begin and where the part that no trial sees does.

    The same for every choice of columns and label: the trials share their blocks of time.
    """
    opens = [known.open_time_ms for known in material.candles.values() if len(known.open_time_ms)]
    first, last = min(int(one[0]) for one in opens), max(int(one[-1]) for one in opens)
    return first, first + int((last - first) * INSIDE)


def cut(material: Material, search: Search) -> tuple[Dataset, Dataset]:
    """Return the rows that the search sees and those that it does not, an embargo apart."""
    dataset, (_, edge) = material.dataset, bounds_ms(material)
    embargo = max(search.horizons) * Timeframe(search.scope).ms
    inside = dataset.take(np.flatnonzero(dataset.end_ms + embargo < edge))
    return inside, dataset.take(np.flatnonzero(dataset.start_ms >= edge))


def fit_choice(
    search: Search,
    choice: Choice,
    material: Material,
    rows: Dataset,
    make_trainers: MakeTrainers,
) -> FittedEnsemble:
    """Fit and judge a configuration walking forward."""
    interval_ms = Timeframe(search.scope).ms
    half_life = choice.half_life_bars
    return fit_ensemble(
        rows,
        trainers=make_trainers(choice.recipe, choice.figures),
        horizon_bars=choice.label.horizon_bars,
        interval_ms=interval_ms,
        seed=search.seed,
        progress=silent,
        lesson=Lesson(
            names=material.spec.names,
            half_life_ms=None if half_life is None else float(half_life) * interval_ms,
        ),
    )


def _finish(search: Search, make_trainers: MakeTrainers, *, now: datetime) -> None:
    """Judge the best on what no trial saw, and write the report; the last word stays."""

    def judge(choice: Choice) -> tuple[FittedEnsemble, Dataset]:
        material = material_of(search, choice)
        inside, fresh = cut(material, search)
        return fit_choice(search, choice, material, inside, make_trainers), fresh

    report = write_report(search, judge=judge)
    Search.objects.filter(pk=search.pk, status=SearchStatus.RUNNING).update(
        status=SearchStatus.DONE, report=report, finished_at=now
    )
    logger.info("search.done search_id=%s until=%s", search.pk, from_ms(report["edge_ms"]))


def _bury_lost(study: optuna.Study) -> None:
    """Fail the trials whose worker is gone and queue what they were about."""
    for known in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        begun = known.datetime_start
        # Optuna writes the wall's local time.
        is_old = begun is not None and datetime.now() - begun > LOST_AFTER  # noqa: DTZ005
        if is_old or is_gone(known.user_attrs.get("worker", "")):
            try:
                study.tell(known.number, state=TrialState.FAIL)
            except (ValueError, UpdateFinishedTrialError):
                continue  # another worker found it at the same moment and queued it
            if known.params:
                study.enqueue_trial(known.params, user_attrs={"again": known.number})
            logger.warning("search.trial_lost number=%s", known.number)


def _count(study: optuna.Study) -> tuple[int, int]:
    """Return how many trials are under way, and how many have ended; lost ones count as neither."""
    known = study.get_trials(deepcopy=False)
    under_way = sum(one.state is TrialState.RUNNING for one in known)
    ended = sum(one.state is TrialState.COMPLETE or "error" in one.user_attrs for one in known)
    return under_way, ended
