"""The kill switch at the exchange: cancel what rests; at FLATTEN sell what is held."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from core.audit import record
from core.clock import Clock
from core.models import AuditRecord
from execution.domain.ids import is_ours
from execution.domain.order import LIVE_STATES, UNRESOLVED_STATES, Leg
from execution.models import Order, Position
from execution.ports import Broker
from execution.services.cancels import cancel_orders
from execution.services.completing import record_complete
from execution.services.exits import exit_positions
from execution.services.order_rows import purpose_of
from risk.domain.trading_state import Level, Purpose
from risk.services.trading_state import read_state

logger = logging.getLogger(__name__)

_CONFIRMED = "kill.confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep saw.

    Attributes:
        resting: Orders that should be gone and that the exchange still shows.
        in_doubt: Entries whose existence is not settled.
        is_confirmed: The exchange shows nothing that should be gone.
    """

    resting: int
    in_doubt: int
    is_confirmed: bool


def cancel_resting(*, account_id: int, broker: Broker, clock: Clock) -> Swept | None:
    """Cancel entries while the level is CANCEL or above; None below it.

    Protective orders survive CANCEL. At FLATTEN every position is sold, which replaces them.
    Call again until it is confirmed: what appears later is cancelled then.
    """
    state = read_state()
    if state.level < Level.CANCEL:
        return None
    live = Order.objects.filter(
        account_id=account_id,
        parent__isnull=True,
        state__in=[item.value for item in LIVE_STATES],
    ).exclude(leg=Leg.EXTERNAL.value)
    entries = [order for order in live.order_by("pk") if purpose_of(order) is Purpose.ENTRY]
    cancel_orders(orders=entries, broker=broker, clock=clock)
    if state.level is Level.FLATTEN:
        _flatten(account_id=account_id, broker=broker, clock=clock)
    resting = _resting_at_venue(account_id=account_id, broker=broker, clock=clock)
    cancel_orders(orders=resting, broker=broker, clock=clock)
    in_doubt = Order.objects.filter(
        account_id=account_id,
        leg__in=[Leg.ENTRY.value, Leg.MANUAL.value],
        state__in=[item.value for item in UNRESOLVED_STATES],
    ).count()
    is_confirmed = not resting and not in_doubt
    if is_confirmed:
        _confirm(account_id=account_id, level=state.level, epoch=state.epoch, clock=clock)
    return Swept(resting=len(resting), in_doubt=in_doubt, is_confirmed=is_confirmed)


def _resting_at_venue(*, account_id: int, broker: Broker, clock: Clock) -> Sequence[Order]:
    """Return our entries that the exchange shows as open, whatever we believed of them."""
    reports = [report for report in broker.open_orders() if is_ours(report.client_order_id)]
    record_complete(account_id=account_id, reports=reports, broker=broker, now=clock.now())
    names = [report.client_order_id for report in reports]
    rows = Order.objects.filter(account_id=account_id, client_order_id__in=names)
    return [row for row in rows.order_by("pk") if purpose_of(row) is Purpose.ENTRY]


def _flatten(*, account_id: int, broker: Broker, clock: Clock) -> None:
    held = Position.objects.filter(account_id=account_id, status=Position.Status.OPEN)
    position_ids = list(held.order_by("pk").values_list("pk", flat=True))
    if position_ids:
        exit_positions(account_id=account_id, position_ids=position_ids, broker=broker, clock=clock)


def _confirm(*, account_id: int, level: Level, epoch: int, clock: Clock) -> None:
    """Put on record, once per kill, that the exchange shows nothing any more."""
    subject = f"account:{account_id}:epoch:{epoch}"
    if AuditRecord.objects.filter(action=_CONFIRMED, subject=subject).exists():
        return
    record(
        actor="auto:guard",
        action=_CONFIRMED,
        subject=subject,
        after={"level": level.value, "epoch": epoch},
        reason="the exchange shows no open entry",
        now=clock.now(),
    )
    logger.warning("kill.confirmed level=%s epoch=%s", level, epoch)
