"""What is mended before an order that was refused for our own fault may be asked for once more.

Old rules of a symbol are read anew; a clock that is off is steered to the exchange's. Either
refusal comes before the matching engine: the order does not exist, and the next attempt has another
name.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta

from alerts.services.raising import raise_alert
from core.clock import Clock
from core.errors import ExchangeError
from execution.domain.outcome import Reaction
from execution.models import Order
from execution.ports import Broker
from markets.selectors import list_rules
from markets.services.instruments import refresh_instrument

logger = logging.getLogger(__name__)

# A clock that is further off is not steered but looked after: the guardian closes the door.
LARGEST_STEP = timedelta(minutes=2)
# Half a round trip is not known; less than this besides is no reason for a refusal.
_SMALLEST_STEP = timedelta(milliseconds=50)


def mend(
    orders: Mapping[int, Order], causes: Mapping[int, Reaction], *, broker: Broker, clock: Clock
) -> set[int]:
    """Mend what the refusals name; return the orders for which something is different now."""
    mended: set[int] = set()
    is_steered: bool | None = None
    for key, cause in causes.items():
        try:
            if cause is Reaction.REFRESH_RULES:
                is_mended = refresh_rules(orders[key].instrument_id, broker=broker, clock=clock)
            else:
                if is_steered is None:
                    is_steered = resync_clock(broker=broker, clock=clock)
                is_mended = is_steered
        except ExchangeError as error:
            logger.warning("order.not_mended order_id=%s error=%s", key, error.code)
            continue
        if is_mended:
            mended.add(key)
    return mended


def refresh_rules(instrument_id: int, *, broker: Broker, clock: Clock) -> bool:
    """Read a symbol's rules anew; return whether they differ from those that were known.

    Raises:
        ExchangeError: The exchange could not tell.
    """
    before = list_rules([instrument_id])[instrument_id]
    refresh_instrument(listing=broker.listing(before.symbol), now=clock.now())
    after = list_rules([instrument_id])[instrument_id]
    if after != before:
        logger.warning("rules.changed symbol=%s", before.symbol)
    return after != before


def resync_clock(*, broker: Broker, clock: Clock) -> bool:
    """Steer this process's clock to the exchange's; return whether it was off and is not now.

    Raises:
        ExchangeError: The exchange could not tell its time.
    """
    before = clock.now()
    theirs = broker.server_time()
    after = clock.now()
    offset = theirs - (before + (after - before) / 2)
    surely = abs(offset) - (after - before) / 2
    if surely <= clock.protocol(_SMALLEST_STEP) or abs(offset) > clock.protocol(LARGEST_STEP):
        return False
    clock.steer(offset)
    raise_alert(
        code="CLOCK_STEERED",
        severity="WARNING",
        message=f"Our clock was {-offset.total_seconds():.3f} s off the exchange's and was steered",
        context={"offset_s": offset.total_seconds()},
        dedupe_key="CLOCK_STEERED",
        now=clock.now(),
    )
    return True
