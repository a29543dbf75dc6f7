"""Which timeframes and instruments a command of the models works on."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.management.base import CommandError

from markets.domain.timeframe import Timeframe
from markets.selectors import get_rules_by_symbol, list_subscriptions


def chosen_timeframes(options: Mapping[str, Any]) -> list[Timeframe]:
    """Return the one of ``--timeframe``, or all that are subscribed.

    Raises:
        CommandError: None is named, and nothing is subscribed.
    """
    if options["timeframe"]:
        return [Timeframe(options["timeframe"])]
    found = sorted({subscription.timeframe for subscription in list_subscriptions()})
    if not found:
        raise CommandError("Nothing is subscribed: name --timeframe and --symbol.")
    return found


def chosen_instruments(timeframe: Timeframe, symbols: Sequence[str] | None) -> list[int]:
    """Return the ids of these symbols, or of all subscribed ones, ascending.

    Raises:
        NotFound: There is no such symbol.
    """
    if symbols:
        return sorted({get_rules_by_symbol(symbol).instrument_id for symbol in symbols})
    return sorted({found.instrument_id for found in list_subscriptions(timeframe=timeframe)})
