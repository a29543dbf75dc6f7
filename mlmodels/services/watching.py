"""Watching what predicts: figures by symbol and regime, and what follows from them."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from core.audit import record
from mlmodels.domain.contest import Standing, compare, has_lost_skill, must_roll_back, stand
from mlmodels.domain.evaluation import Evaluation, OutOfFold, evaluate
from mlmodels.domain.lifecycle import ModelState
from mlmodels.models import DriftMetric, ModelVersion, Prediction, RollingMetric
from mlmodels.ports import ArtifactError
from mlmodels.selectors import ChampionView, get_champion, list_beside, list_scopes
from mlmodels.services.announcements import announce_change, announce_unusable
from mlmodels.services.promotion import promote, reject, rollback
from mlmodels.services.resolved import load_resolved, pair
from mlmodels.services.serving import ModelSource, ServedModel

logger = logging.getLogger(__name__)

ROWS = 3000
MIN_ROWS = 30
# The version before the champion is compared with it for so long.
BESIDE = timedelta(days=7)
_A_LOOK = timedelta(days=1)
ACTOR = "watching"


def watch_models(*, models: ModelSource, now: datetime) -> int:
    """Measure every champion and what predicts beside it, and act where the numbers ask for it.

    A champion that is worse than the one before it and than no model is rolled back; one whose
    outcomes show no skill serves as NO_SKILL until they do; a challenger that has shown that it
    is better is promoted, a worse one is rejected.

    Returns:
        How many rows of figures were written.
    """
    written = 0
    for scope in list_scopes():
        champion = get_champion(scope)
        if champion is None:
            continue
        rows = load_resolved(champion.version_id, newest=ROWS)
        written += _write_figures(champion, rows, now=now)
        written += _write_drift(champion, models, now=now)
        _judge_skill(champion, rows, now=now)
        written += _judge_beside(champion, rows, now=now)
    return written


def _write_figures(version: ChampionView, rows: OutOfFold, *, now: datetime) -> int:
    figures = [
        RollingMetric(
            version_id=version.version_id,
            instrument_id=group,
            regime=regime,
            at=now,
            rows=found.rows,
            ic=found.ic,
            ic_t=found.ic_t,
            brier_skill=found.brier_skill,
            calibration_slope=found.calibration_slope,
            calibration_error=found.calibration_error,
            coverage=found.coverage,
            mean_absolute_error=float(np.mean(np.abs(part.expected_return - part.forward_return))),
            baseline_error=float(np.mean(np.abs(part.forward_return))),
        )
        for group, regime, part, found in _figures(rows, version.horizon_bars)
    ]
    RollingMetric.objects.bulk_create(figures)
    return len(figures)


def _figures(
    rows: OutOfFold, horizon_bars: int
) -> Iterator[tuple[int | None, str, OutOfFold, Evaluation]]:
    """Yield the figures of all symbols together and of each, in calm, in storm and always."""
    groups: list[int | None] = [None, *np.unique(rows.group).tolist()]
    for group in groups:
        own = rows if group is None else rows.where(rows.group == group)
        if not len(own.p_up):
            continue
        is_wild = own.horizon_sigma > np.median(own.horizon_sigma)
        masks = {"ALL": np.ones(len(is_wild), np.bool_), "CALM": ~is_wild, "WILD": is_wild}
        for regime, mask in masks.items():
            part = own.where(mask)
            if len(part.p_up) >= MIN_ROWS:
                yield group, regime, part, evaluate(part, horizon_bars=horizon_bars, baselines={})


def _write_drift(champion: ChampionView, models: ModelSource, *, now: datetime) -> int:
    served = _served(models, champion.scope, now=now)
    if served is None or served.version_id != champion.version_id:
        return 0
    reference = served.bundle.drift()
    names = served.bundle.spec.names
    stored = list(
        Prediction.objects.filter(model_version_id=champion.version_id, features__isnull=False)
        .order_by("-close_time", "id")
        .values_list("close_time", "features")[: reference.window_bars * 50]
    )
    closes = sorted({at for at, _ in stored}, reverse=True)
    if len(closes) < reference.window_bars:
        return 0
    first = closes[reference.window_bars - 1]
    vectors = np.stack(
        [np.frombuffer(bytes(data), "<f4") for at, data in stored if data and at >= first]
    )
    found = reference.measure(vectors, names)
    DriftMetric.objects.bulk_create(
        DriftMetric(
            version_id=champion.version_id, feature=name, at=now, psi=psi, threshold=threshold
        )
        for name, (psi, threshold) in found.items()
    )
    return len(found)


def _served(models: ModelSource, scope: str, *, now: datetime) -> ServedModel | None:
    try:
        return models.champion(scope)
    except ArtifactError as error:
        announce_unusable(scope=scope, error=error, now=now)
        return None


def _judge_skill(champion: ChampionView, rows: OutOfFold, *, now: datetime) -> None:
    """Suspend a champion that lives without skill; believe it again when both numbers say so."""
    has_lost = has_lost_skill(rows, horizon_bars=champion.horizon_bars)
    if has_lost is None or has_lost is champion.is_suspended:
        return
    ModelVersion.objects.filter(pk=champion.version_id).update(
        suspended_at=now if has_lost else None
    )
    record(
        actor=ACTOR,
        action="model.suspend" if has_lost else "model.resume",
        subject=f"model_version:{champion.version_id}",
        reason="the newest 500 outcomes " + ("show no skill" if has_lost else "show skill again"),
        now=now,
    )
    announce_change(
        code="MODEL_LOST_SKILL" if has_lost else "MODEL_REGAINED_SKILL",
        severity="WARNING" if has_lost else "INFO",
        scope=champion.scope,
        version_id=champion.version_id,
        message=f"The model of {champion.scope} "
        + (
            "shows no skill on its newest 500 outcomes: it is not traded on until it does."
            if has_lost
            else "shows skill again on its newest 500 outcomes and is traded on."
        ),
        now=now,
    )


def _judge_beside(champion: ChampionView, rows: OutOfFold, *, now: datetime) -> int:
    """Compare the champion with its challenger and with the version before it, once a day."""
    written = 0
    for other in list_beside(champion.scope, since=now - BESIDE):
        state = ModelVersion.objects.values_list("state", flat=True).get(pk=other.version_id)
        theirs = load_resolved(other.version_id, newest=ROWS)
        own, shared = pair(rows, theirs)
        if state == ModelState.PREVIOUS:
            if must_roll_back(own, shared, horizon_bars=champion.horizon_bars):
                _roll_back(champion, now=now)
                return written
            continue
        if RollingMetric.objects.filter(version_id=other.version_id, at__gt=now - _A_LOOK).exists():
            continue
        written += _write_figures(other, theirs, now=now)
        _judge_challenger(champion, other, own, shared, now=now)
    return written


def _roll_back(champion: ChampionView, *, now: datetime) -> None:
    reason = "its newest 200 outcomes are worse than those of the one before it and of no model"
    restored = rollback(version_id=champion.version_id, reason=reason, actor=ACTOR, now=now)
    announce_change(
        code="MODEL_ROLLED_BACK",
        severity="ERROR",
        scope=champion.scope,
        version_id=restored.pk,
        message=f"Model {champion.version_id} of {champion.scope} was taken back, {restored.pk} "
        f"predicts again: {reason}.",
        now=now,
    )


def _judge_challenger(
    champion: ChampionView,
    challenger: ChampionView,
    own: OutOfFold,
    theirs: OutOfFold,
    *,
    now: datetime,
) -> None:
    contest = compare(theirs, own, horizon_bars=champion.horizon_bars)
    standing = stand(contest)
    if contest is None or standing is Standing.UNDECIDED:
        return
    reason = (
        f"{standing.lower()} to {champion.version_id} on {contest.rows} shadow predictions "
        f"(t {contest.gain.t:+.1f})"
    )
    if standing is Standing.SUPERIOR:
        promote(version_id=challenger.version_id, reason=reason, actor=ACTOR, now=now)
    else:
        reject(version=ModelVersion.objects.get(pk=challenger.version_id), reason=reason)
    announce_change(
        code=f"CHALLENGER_{standing.value}",
        severity="INFO",
        scope=champion.scope,
        version_id=challenger.version_id,
        message=f"Model {challenger.version_id} of {champion.scope} is {reason}.",
        now=now,
    )
