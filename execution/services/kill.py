"""The kill switch at the exchange: cancel what rests; at FLATTEN sell what is held.

Every scope that is raised is swept until the exchange itself shows nothing of it, and then put on
record as confirmed, with what was seen and how long it took.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from alerts.services.raising import raise_alert
from core.audit import record
from core.clock import Clock
from core.models import AuditRecord
from execution.domain.ids import is_ours
from execution.domain.order import LIVE_STATES, UNRESOLVED_STATES, Leg, OrderState
from execution.models import Order, Position
from execution.ports import Broker
from execution.services.cancels import cancel_orders
from execution.services.completing import record_complete
from execution.services.exits import exit_positions
from execution.services.order_rows import purpose_of
from risk.domain.trading_state import GLOBAL, Level, Purpose, StateTable, StateView
from risk.selectors import list_state_changes
from risk.services.trading_state import read_states

logger = logging.getLogger(__name__)

CONFIRMED = "kill.confirmed"
_IN_DOUBT = [*(state.value for state in UNRESOLVED_STATES), OrderState.QUARANTINED.value]
# More would keep the sweep from cancelling what appears meanwhile.
_SLICES_PER_SWEEP = 10
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one sweep saw of everything that is shut.

    Attributes:
        resting: Orders that should be gone and that the exchange still shows.
        in_doubt: Orders whose existence is not settled.
        held: Positions that FLATTEN has not sold yet.
    """

    resting: int
    in_doubt: int
    held: int = 0

    @property
    def is_confirmed(self) -> bool:
        """Whether the exchange shows nothing that should be gone."""
        return not (self.resting or self.in_doubt or self.held)


def cancel_resting(*, account_id: int, broker: Broker, clock: Clock) -> Swept | None:
    """Cancel entries wherever the level is CANCEL or above; None where nothing is shut so far.

    Protective orders survive CANCEL. At FLATTEN every position is sold, which replaces them.
    Call again until it is confirmed: what appears later is cancelled then.
    """
    states = read_states()
    raised = states.raised(Level.CANCEL)
    if not raised:
        return None
    live = Order.objects.filter(
        account_id=account_id,
        parent__isnull=True,
        state__in=[item.value for item in LIVE_STATES],
    ).exclude(leg=Leg.EXTERNAL.value)
    entries = [order for order in live.order_by("pk") if _is_unwanted_entry(order, states)]
    cancel_orders(orders=entries, broker=broker, clock=clock)
    _flatten(account_id=account_id, states=states, broker=broker, clock=clock)
    at_venue = _open_at_venue(account_id=account_id, broker=broker, clock=clock)
    resting = [order for order in at_venue if _is_unwanted(order, states)]
    cancel_orders(orders=resting, broker=broker, clock=clock)
    in_doubt = [order for order in live.filter(state__in=_IN_DOUBT) if _is_unwanted(order, states)]
    held = _held(account_id=account_id, states=states)
    for scope, view in raised.items():
        rows: list[Order | Position] = [*resting, *in_doubt, *held]
        if not any(_stands_under(row.scopes, scope) for row in rows):
            _confirm(
                account_id=account_id,
                scope=scope,
                view=view,
                shown=len(at_venue),
                broker=broker,
                clock=clock,
            )
    return Swept(resting=len(resting), in_doubt=len(in_doubt), held=len(held))


def _stands_under(scopes: Sequence[str], scope: str) -> bool:
    return scope == GLOBAL or scope in scopes


def _is_unwanted_entry(order: Order, states: StateTable) -> bool:
    return purpose_of(order) is Purpose.ENTRY and states.of(order.scopes).level >= Level.CANCEL


def _is_unwanted(order: Order, states: StateTable) -> bool:
    """Tell whether the order should be gone: at FLATTEN all but the exits themselves."""
    if states.of(order.scopes).level is Level.FLATTEN:
        return purpose_of(order) is not Purpose.EXIT
    return _is_unwanted_entry(order, states)


def _open_at_venue(*, account_id: int, broker: Broker, clock: Clock) -> Sequence[Order]:
    """Return what of ours the exchange shows as open, lists as one, whatever we believed."""
    reports = [report for report in broker.open_orders() if is_ours(report.client_order_id)]
    record_complete(account_id=account_id, reports=reports, broker=broker, now=clock.now())
    names = [report.client_order_id for report in reports]
    rows = Order.objects.filter(account_id=account_id, client_order_id__in=names)
    wholes = {(row.parent or row).pk: row.parent or row for row in rows.select_related("parent")}
    return [wholes[key] for key in sorted(wholes)]


def _held(*, account_id: int, states: StateTable) -> list[Position]:
    rows = Position.objects.filter(account_id=account_id, status=Position.Status.OPEN)
    return [row for row in rows.order_by("pk") if states.of(row.scopes).level is Level.FLATTEN]


def _flatten(*, account_id: int, states: StateTable, broker: Broker, clock: Clock) -> None:
    """Sell what is held, slice by slice, as long as slices find buyers; the next sweep goes on."""
    for _ in range(_SLICES_PER_SWEEP):
        held = _held(account_id=account_id, states=states)
        if not held:
            return
        before = {row.pk: row.quantity for row in held}
        exit_positions(
            account_id=account_id,
            position_ids=list(before),
            broker=broker,
            clock=clock,
            is_sliced=True,
        )
        after = {row.pk: row.quantity for row in _held(account_id=account_id, states=states)}
        if after == before:
            _tell_unsold(held, clock=clock)
            return


def _tell_unsold(held: Sequence[Position], *, clock: Clock) -> None:
    """Say that a sweep sold nothing, and what became of the last try of each symbol."""
    symbols = sorted({row.symbol for row in held})
    tries = _last_tries(held)
    told = ", ".join(f"{symbol} ({tries[symbol]})" for symbol in symbols)
    raise_alert(
        code="FLATTEN_UNSOLD",
        severity="CRITICAL",
        message=f"FLATTEN sold nothing just now of {told}; it is tried again",
        context={"symbols": symbols, "position_ids": [row.pk for row in held], "tries": tries},
        dedupe_key=f"FLATTEN_UNSOLD:{','.join(symbols)}",
        now=clock.now(),
    )


def _last_tries(held: Sequence[Position]) -> dict[str, str]:
    """Return by symbol how the newest exit ended: no buyer (EXPIRED), denied and why, in doubt."""
    symbols = {row.pk: row.symbol for row in held}
    exits = Order.objects.filter(position__in=symbols, leg=Leg.EXIT.value).order_by("pk")
    ends = exits.values_list("position_id", "state", "reason")
    tries = dict.fromkeys(symbols.values(), "not tried")
    return tries | {symbols[key]: f"{state} {reason}".strip() for key, state, reason in ends}


def confirmation_subject(*, account_id: int, scope: str, epoch: int) -> str:
    """Return what the audit record of a confirmed kill is about."""
    return f"account:{account_id}:{scope}:epoch:{epoch}"


def _confirm(
    *, account_id: int, scope: str, view: StateView, shown: int, broker: Broker, clock: Clock
) -> None:
    """Put on record, once per kill, that the exchange shows nothing of it any more."""
    subject = confirmation_subject(account_id=account_id, scope=scope, epoch=view.epoch)
    if AuditRecord.objects.filter(action=CONFIRMED, subject=subject).exists():
        return
    exchange_time, now = broker.server_time(), clock.now()
    raised_at = (
        list_state_changes()
        .filter(scope=scope, epoch=view.epoch)
        .values_list("timestamp", flat=True)
        .first()
    )
    wall_s = round((now - raised_at) / clock.protocol(_SECOND), 3) if raised_at else None
    record(
        actor="auto:guard",
        action=CONFIRMED,
        subject=subject,
        after={
            "scope": scope,
            "level": view.level.value,
            "epoch": view.epoch,
            "wall_seconds": wall_s,
            # What the exchange itself showed after the last cancel: only what may stay.
            "open_orders_left": shown,
            "exchange_time": exchange_time,
        },
        reason="the exchange shows nothing that should be gone",
        now=now,
    )
    logger.warning(
        "kill.confirmed scope=%s level=%s epoch=%s wall_s=%s",
        scope,
        view.level,
        view.epoch,
        wall_s,
    )
