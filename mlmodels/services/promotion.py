"""Which version predicts. Every change is one transaction and leaves an audit record."""

from datetime import datetime

from django.db import IntegrityError, transaction

from core.audit import record
from core.errors import Conflict, NotFound
from mlmodels.domain.lifecycle import ModelEvent, ModelState, move
from mlmodels.models import ModelAlias, ModelVersion
from mlmodels.selectors import CHAMPION


def promote(*, version_id: int, reason: str, actor: str, now: datetime) -> ModelVersion:
    """Make a version the champion of its scope; the one before it stays at hand.

    Raises:
        NotFound: There is no such version.
        IllegalModelMove: It is the champion already.
        Conflict: Another promotion came first.
    """
    with transaction.atomic():
        version = _locked(version_id)
        before = _champion_id(version.scope)
        _move(version, ModelEvent.PROMOTE, reason=reason, is_dry=True)
        champions = _in_state(version.scope, ModelState.CHAMPION)
        for champion in champions:
            _move(champion, ModelEvent.SUPERSEDE, reason=f"superseded by {version.pk}")
        kept = {champion.pk for champion in champions} | {version.pk}
        for older in _in_state(version.scope, ModelState.PREVIOUS):
            if older.pk not in kept:
                _move(older, ModelEvent.RETIRE, reason=f"a newer one is kept: {version.pk}")
        _move(version, ModelEvent.PROMOTE, reason=reason)
        _point_to(version, now=now)
        record(
            actor=actor,
            action="model.promote",
            subject=f"model_version:{version.pk}",
            before={"champion": before},
            after={"champion": version.pk},
            reason=reason,
            now=now,
        )
    return version


def rollback(*, version_id: int, reason: str, actor: str, now: datetime) -> ModelVersion:
    """Take the champion back and return to the version before it.

    Args:
        version_id: The champion.
        reason: Why, in the operator's words.
        actor: Who.
        now: Time of the market.

    Returns:
        The version that predicts from now on.

    Raises:
        NotFound: There is no such version.
        IllegalModelMove: It is not the champion.
        Conflict: No earlier version is kept.
    """
    with transaction.atomic():
        version = _locked(version_id)
        earlier = _in_state(version.scope, ModelState.PREVIOUS)
        if version.state == ModelState.CHAMPION and not earlier:
            raise Conflict(
                f"model version {version.pk} has no version before it to return to",
                version_id=version.pk,
                scope=version.scope,
            )
        _move(version, ModelEvent.ROLL_BACK, reason=reason)
        restored = earlier[0]
        _move(restored, ModelEvent.PROMOTE, reason=f"rollback of {version.pk}: {reason}")
        _point_to(restored, now=now)
        record(
            actor=actor,
            action="model.rollback",
            subject=f"model_version:{version.pk}",
            before={"champion": version.pk},
            after={"champion": restored.pk},
            reason=reason,
            now=now,
        )
    return restored


def reject(*, version: ModelVersion, reason: str) -> None:
    """Note why a candidate does not become the champion."""
    _move(version, ModelEvent.REJECT, reason=reason)


def challenge(*, version: ModelVersion, reason: str, now: datetime) -> None:
    """Let a candidate predict beside the champion; a challenger of another kind makes room.

    One of the same kind stays: it needs weeks of outcomes, and would never have them if every
    training began its trial anew.
    """
    for earlier in _in_state(version.scope, ModelState.SHADOW):
        same = ("recipe", "label", "spec_hash")
        if all(getattr(earlier, name) == getattr(version, name) for name in same):
            reject(version=version, reason=f"challenger {earlier.pk} of its kind is on trial")
            return
        _move(earlier, ModelEvent.RETIRE, reason=f"a newer challenger came: {version.pk}")
    _move(version, ModelEvent.CHALLENGE, reason=reason)
    record(
        actor="training",
        action="model.challenge",
        subject=f"model_version:{version.pk}",
        reason=reason,
        now=now,
    )


def _locked(version_id: int) -> ModelVersion:
    """Return the version while its scope's alias is locked: promotions of a scope queue up."""
    scope = ModelVersion.objects.filter(pk=version_id).values_list("scope", flat=True).first()
    if scope is None:
        raise NotFound(f"there is no model version {version_id}", version_id=version_id)
    list(ModelAlias.objects.select_for_update().filter(scope=scope, alias=CHAMPION))
    return ModelVersion.objects.get(pk=version_id)


def _champion_id(scope: str) -> int | None:
    return (
        ModelAlias.objects.filter(scope=scope, alias=CHAMPION)
        .values_list("version_id", flat=True)
        .first()
    )


def _in_state(scope: str, state: ModelState) -> list[ModelVersion]:
    return list(ModelVersion.objects.filter(scope=scope, state=state).order_by("-id"))


def _move(version: ModelVersion, event: ModelEvent, *, reason: str, is_dry: bool = False) -> None:
    """Move by compare-and-swap; a dry move only asks whether it is legal."""
    before = ModelState(version.state)
    after = move(version.pk, before, event)
    if is_dry:
        return
    moved = ModelVersion.objects.filter(pk=version.pk, state=before).update(
        state=after, state_reason=reason[:255]
    )
    if moved == 0:
        raise Conflict(
            f"model version {version.pk} was moved by somebody else", version_id=version.pk
        )
    version.state, version.state_reason = after, reason[:255]


def _point_to(version: ModelVersion, *, now: datetime) -> None:
    """Point the scope's champion alias to `version`; its epoch grows."""
    alias = ModelAlias.objects.filter(scope=version.scope, alias=CHAMPION).first()
    if alias is not None:
        ModelAlias.objects.filter(pk=alias.pk).update(
            version=version, epoch=alias.epoch + 1, interval_scales={}, updated_at=now
        )
        return
    try:
        with transaction.atomic():
            ModelAlias.objects.create(
                scope=version.scope, alias=CHAMPION, version=version, updated_at=now
            )
    except IntegrityError as error:
        raise Conflict(
            f"the first model of {version.scope} was promoted by somebody else", scope=version.scope
        ) from error
