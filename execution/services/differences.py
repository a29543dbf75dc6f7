"""What differs between our books and the exchange's: kept until it is settled, by whom and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from core.audit import record
from core.clock import Clock
from core.errors import Conflict, InvalidInput, NotFound
from core.recording.calls import taped
from execution.domain.order import Leg
from execution.models import Balance, Difference, Order, Position
from execution.ports import Broker
from execution.services.balances import enter_external
from execution.services.exits import exit_positions
from execution.services.loose_orders import KINDS, adopt_order, attach_order, cancel_order
from risk.services.trading_state import lock_account

_SUBJECT_KEYS = ("asset", "trade_id", "order_id", "position_id")
_Status = Difference.Status
_BALANCES = frozenset({"BALANCE_DIFFERS", "UNKNOWN_ASSET"})


def subject_of(item: dict[str, Any]) -> str:
    """Return what a difference is about, the same whatever its figures are."""
    parts = [
        f"{key}:{item[key]}" for key in ("symbol", *_SUBJECT_KEYS) if item.get(key) is not None
    ]
    return " ".join(parts)[:96] or "account"


@transaction.atomic
def note_differences(
    *, account_id: int, found: Sequence[dict[str, Any]], now: datetime
) -> list[dict[str, Any]]:
    """Open rows for what was found, settle what was not; return what is red.

    What a person ignored is not red as long as its figures are the same.
    """
    lock_account(account_id)
    rows = Difference.objects.filter(account_id=account_id)
    still = {(row.kind, row.subject): row for row in rows.filter(status=_Status.OPEN)}
    ignored = {
        (row.kind, row.subject): row.detail
        for row in rows.filter(status=_Status.IGNORED).order_by("pk")
    }
    red = []
    for item in found:
        key = (str(item["kind"]), subject_of(item))
        if ignored.get(key) == item:
            continue
        red.append(item)
        row = still.pop(key, None)
        if row is None:
            Difference.objects.create(
                account_id=account_id,
                kind=key[0],
                subject=key[1],
                detail=item,
                first_seen_at=now,
                last_seen_at=now,
            )
        else:
            rows.filter(pk=row.pk).update(detail=item, last_seen_at=now)
    gone = [row.pk for row in still.values()]
    rows.filter(pk__in=gone).update(
        status=_Status.VANISHED, settled_at=now, actor="auto:reconciliation"
    )
    return red


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a person does about a difference, and why."""

    status: str
    reason: str
    actor: str
    # To which strategy an order is attached, by name; empty: to its position's, or the only one.
    target: str = ""


@taped
def settle_difference(
    *, difference_id: int, settlement: Settlement, broker: Broker, clock: Clock
) -> Difference:
    """Settle one open difference; the next comparison shows whether that was all.

    ADOPTED enters an unexplained balance into the ledger as a deposit or withdrawal, and takes an
    order for known. ATTACHED gives an order to the position or strategy that it belongs to.
    FLATTENED sells the position in question, or cancels the order. IGNORED leaves the difference
    as it is. None of them re-arms.

    Raises:
        NotFound: There is no such difference.
        InvalidInput: No reason was given, or this cannot be done about this kind.
        Conflict: It is settled already, or has changed since it was found.
    """
    if not settlement.reason.strip():
        raise InvalidInput("a reason is needed", field="reason", value=settlement.reason)
    row = Difference.objects.filter(pk=difference_id).first()
    if row is None:
        raise NotFound(f"There is no difference {difference_id}", difference_id=difference_id)
    if row.status != _Status.OPEN:
        raise Conflict(f"The difference is {row.status} already", status=row.status)
    if settlement.status == _Status.ADOPTED:
        _adopt(row, settlement, broker=broker, clock=clock)
    elif settlement.status == _Status.ATTACHED:
        _attach(row, settlement, clock=clock)
    elif settlement.status == _Status.FLATTENED:
        _flatten(row, broker=broker, clock=clock)
    elif settlement.status != _Status.IGNORED:
        raise InvalidInput(
            f"a difference cannot be {settlement.status}", field="status", value=settlement.status
        )
    return _close(row, settlement, now=clock.now())


@transaction.atomic
def _close(row: Difference, settlement: Settlement, *, now: datetime) -> Difference:
    Difference.objects.filter(pk=row.pk, status=_Status.OPEN).update(
        status=settlement.status,
        reason=settlement.reason[:500],
        actor=settlement.actor[:150],
        settled_at=now,
    )
    record(
        actor=settlement.actor,
        action="reconciliation.settle",
        subject=f"difference:{row.pk}",
        before=row.detail,
        after={"status": settlement.status, "target": settlement.target},
        reason=settlement.reason,
        now=now,
    )
    row.refresh_from_db()
    return row


def _attach(row: Difference, settlement: Settlement, *, clock: Clock) -> None:
    if row.kind not in KINDS:
        raise InvalidInput(
            "only an order can be attached; adopt a balance, flatten a position",
            field="kind",
            value=row.kind,
        )
    attach_order(
        row,
        target=settlement.target,
        actor=settlement.actor,
        reason=settlement.reason,
        clock=clock,
    )


def _adopt(row: Difference, settlement: Settlement, *, broker: Broker, clock: Clock) -> None:
    if row.kind in KINDS:
        adopt_order(row, actor=settlement.actor, reason=settlement.reason)
        return
    if row.kind not in _BALANCES:
        raise InvalidInput(
            "only a balance or an order can be adopted; trades are booked by the comparison itself",
            field="kind",
            value=row.kind,
        )
    asset = str(row.detail["asset"])
    totals = {balance.asset: balance.total for balance in broker.balances()}
    ours = Balance.objects.filter(account=row.account_id, asset=asset).first()
    change = totals.get(asset, Decimal(0)) - (ours.total if ours else Decimal(0))
    if change != Decimal(str(row.detail["difference"])):
        raise Conflict(
            f"The difference is {change:f} now and was {row.detail['difference']}; compare again",
            asset=asset,
        )
    enter_external(
        account=row.account, changes={asset: change}, reason=settlement.reason, clock=clock
    )


def _flatten(row: Difference, *, broker: Broker, clock: Clock) -> None:
    if row.kind in KINDS:
        cancel_order(row, broker=broker, clock=clock)
        return
    positions = Position.objects.filter(account=row.account_id, status=Position.Status.OPEN)
    if "position_id" in row.detail:
        positions = positions.filter(pk=row.detail["position_id"])
    elif "symbol" in row.detail:
        positions = positions.filter(symbol=row.detail["symbol"])
    else:
        raise InvalidInput("this difference belongs to no position", field="kind", value=row.kind)
    ids = list(positions.order_by("pk").values_list("pk", flat=True))
    if not ids:
        raise Conflict("There is no open position of it any more")
    # By a person: it passes at HALT and CANCEL too.
    order_ids = exit_positions(
        account_id=row.account_id, position_ids=ids, is_manual=True, broker=broker, clock=clock
    )
    if not order_ids and not _is_closing(ids):
        raise Conflict("The gate lets no exit of it through; see the refused orders")


def _is_closing(position_ids: Sequence[int]) -> bool:
    rows = Order.objects.filter(position__in=list(position_ids), leg=Leg.EXIT.value)
    return rows.exclude(state__in=["DENIED", "LAPSED", "REJECTED"]).exists()
