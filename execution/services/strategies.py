"""Strategies: their first row. Afterwards they are edited in the admin or by ``import_config``."""

from collections.abc import Sequence

from django.db import transaction

from execution.models import Strategy
from markets.domain.timeframe import Timeframe

DEFAULT_STRATEGY = "default"


@transaction.atomic
def set_up_strategy(
    *,
    account_id: int,
    timeframe: Timeframe,
    instrument_ids: Sequence[int],
    name: str = DEFAULT_STRATEGY,
) -> Strategy:
    """Return the strategy of that name, made with the default rules when there is none.

    An existing one keeps what its owner set.
    """
    strategy, is_new = Strategy.objects.get_or_create(
        name=name, defaults={"account_id": account_id, "timeframe": timeframe.value}
    )
    if is_new:
        strategy.instruments.set(instrument_ids)
    return strategy
