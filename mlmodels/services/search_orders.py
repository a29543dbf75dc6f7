"""Ordering searches, and finding those that nobody works on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from core.audit import record
from core.errors import InvalidInput, NotFound
from markets.domain.timeframe import Timeframe
from mlmodels.domain.lifecycle import SearchStatus
from mlmodels.domain.search_space import RECIPES
from mlmodels.models import Search

MOST_TRIALS = 2000
# A search that no worker has touched for so long is sent again.
STALLED_AFTER = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOrder:
    """What is searched.

    Attributes:
        timeframe: Of the candles.
        instrument_ids: The pool.
        trials: How many configurations are judged.
        recipes: To choose from.
        horizons: Candles ahead, to choose from.
        cost_bps: Round trip that acting is charged.
        seed: One worker with the same seed proposes the same.
    """

    timeframe: Timeframe
    instrument_ids: Sequence[int]
    trials: int = 50
    recipes: Sequence[str] = RECIPES
    horizons: Sequence[int] = (4, 12, 24)
    cost_bps: float = 20.0
    seed: int = 1


@transaction.atomic
def start_search(*, order: SearchOrder, actor: str, now: datetime) -> Search:
    """Store a search; workers carry it out by ``run_trial``.

    Raises:
        InvalidInput: A value is out of its bounds; ``context`` names the field and the fix.
    """
    _check_order(order)
    search = Search.objects.create(
        scope=order.timeframe.value,
        instrument_ids=list(order.instrument_ids),
        until=now,
        wanted=order.trials,
        recipes=list(order.recipes),
        horizons=list(order.horizons),
        cost_bps=order.cost_bps,
        seed=order.seed,
        actor=actor,
        created_at=now,
        touched_at=now,
    )
    record(
        actor=actor,
        action="model.search",
        subject=f"search:{search.pk}",
        after={"scope": search.scope, "trials": order.trials},
        now=now,
    )
    return search


def get_search(search_id: int) -> Search:
    """Return a search.

    Raises:
        NotFound: There is none.
    """
    found = Search.objects.filter(pk=search_id).first()
    if found is None:
        raise NotFound(f"there is no search {search_id}", search_id=search_id)
    return found


def list_stalled(*, now: datetime) -> list[int]:
    """Return the searches that no worker has touched for long; each is marked as touched."""
    found = Search.objects.filter(
        status=SearchStatus.RUNNING, touched_at__lte=now - STALLED_AFTER
    ).order_by("id")
    ids = list(found.values_list("id", flat=True))
    Search.objects.filter(pk__in=ids).update(touched_at=now)
    return ids


def _check_order(order: SearchOrder) -> None:
    _check("trials", order.trials, 2, MOST_TRIALS)
    _check("cost_bps", order.cost_bps, 0, 1000)
    if not order.horizons:
        raise InvalidInput("horizons was empty", field="horizons", fix="name one or more")
    for horizon in order.horizons:
        _check("horizons", horizon, 1, 500)
    unknown = sorted(set(order.recipes) - set(RECIPES))
    if unknown or not order.recipes:
        raise InvalidInput(
            f"recipes was {', '.join(order.recipes) or 'empty'}",
            field="recipes",
            value=list(order.recipes),
            fix=f"must be of {', '.join(RECIPES)}",
        )
    if not order.instrument_ids:
        raise InvalidInput("symbols was empty", field="symbols", fix="subscribe to one, or name it")


def _check(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidInput(
            f"{field} was {value}", field=field, value=value, fix=f"must be from {low} to {high}"
        )
