"""The states a training run and a model version pass through."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from core.errors import Conflict


class Verdict(StrEnum):
    """What the evidence allows to say of a model."""

    SKILLED = "SKILLED"
    NO_SKILL = "NO_SKILL"


def promised_ic(
    pooled: Mapping[str, Any], by_group: Mapping[str, Mapping[str, Any]]
) -> float | None:
    """Return the correlation that stored figures claim; None where no symbol showed skill.

    Args:
        pooled: ``Evaluation.to_json`` of all symbols together.
        by_group: The same by symbol.
    """
    is_skilled = any(found["verdict"] == Verdict.SKILLED for found in by_group.values())
    return pooled.get("ic") if is_skilled else None


class RunStatus(StrEnum):
    """How a training run stands."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class SearchStatus(StrEnum):
    """How a search stands."""

    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class ModelState(StrEnum):
    """Where a model version stands in its scope."""

    CANDIDATE = "CANDIDATE"
    # Predicts beside the champion, and nobody acts on it.
    SHADOW = "SHADOW"
    CHAMPION = "CHAMPION"
    # The champion before this one, kept at hand for a rollback.
    PREVIOUS = "PREVIOUS"
    REJECTED = "REJECTED"
    RETIRED = "RETIRED"


class ModelEvent(StrEnum):
    """What can happen to a model version."""

    PROMOTE = "PROMOTE"
    # It must show on fresh candles that it is better.
    CHALLENGE = "CHALLENGE"
    # Another version became the champion.
    SUPERSEDE = "SUPERSEDE"
    REJECT = "REJECT"
    # The champion was taken back; it may still be looked at, and promoted again by hand.
    ROLL_BACK = "ROLL_BACK"
    # A newer version became PREVIOUS.
    RETIRE = "RETIRE"


class IllegalModelMove(Conflict):
    """The version cannot do this from where it stands."""

    code = "MODEL_ILLEGAL_MOVE"


MODEL_MOVES: dict[tuple[ModelState, ModelEvent], ModelState] = {
    (ModelState.CANDIDATE, ModelEvent.PROMOTE): ModelState.CHAMPION,
    (ModelState.CANDIDATE, ModelEvent.REJECT): ModelState.REJECTED,
    (ModelState.CANDIDATE, ModelEvent.CHALLENGE): ModelState.SHADOW,
    (ModelState.SHADOW, ModelEvent.PROMOTE): ModelState.CHAMPION,
    (ModelState.SHADOW, ModelEvent.REJECT): ModelState.REJECTED,
    # A newer challenger takes its place.
    (ModelState.SHADOW, ModelEvent.RETIRE): ModelState.RETIRED,
    (ModelState.CHAMPION, ModelEvent.SUPERSEDE): ModelState.PREVIOUS,
    (ModelState.CHAMPION, ModelEvent.ROLL_BACK): ModelState.REJECTED,
    # A rollback, or an operator's choice.
    (ModelState.PREVIOUS, ModelEvent.PROMOTE): ModelState.CHAMPION,
    (ModelState.PREVIOUS, ModelEvent.RETIRE): ModelState.RETIRED,
    # An operator may overrule the gates and bring an old version back; the audit record says who.
    (ModelState.REJECTED, ModelEvent.PROMOTE): ModelState.CHAMPION,
    (ModelState.RETIRED, ModelEvent.PROMOTE): ModelState.CHAMPION,
}


def move(version_id: int, state: ModelState, event: ModelEvent) -> ModelState:
    """Return the state after `event`.

    Raises:
        IllegalModelMove: `event` cannot happen in `state`.
    """
    try:
        return MODEL_MOVES[state, event]
    except KeyError:
        raise IllegalModelMove(
            f"model version {version_id} is {state} and cannot {event.lower()}",
            version_id=version_id,
            state=state.value,
            event=event.value,
        ) from None
