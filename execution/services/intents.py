"""From decisions and wishes to approved orders, through the one gate.

A batch is one transaction: the account is locked, the portfolio read, every proposal judged with
the approved ones before it counted, and all orders inserted with what they reserve.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import transaction

from alerts import push
from core.clock import Clock
from core.prepared import PreparedQuery, PreparedRows
from execution.domain.decision import Action
from execution.domain.order import Leg, OrderState, Side
from execution.domain.reservation import reserve
from execution.domain.slicing import part_of
from execution.models import Account, Decision, Order, Position
from execution.services.books import next_attempts
from execution.services.messages import order_message
from execution.services.order_rows import Wish, build_legs, build_order
from execution.services.portfolio import build_portfolio
from execution.services.proposals import propose, wish_to_enter, wish_to_exit
from execution.services.protective_rows import wish_to_wait
from execution.services.slices import next_slices
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_marks, list_rules
from risk.domain.gate import Verdict
from risk.domain.snapshot import OrderProposal
from risk.selectors import read_limits
from risk.services.gate import assess
from risk.services.trading_state import lock_account

_DECISIONS = PreparedRows[Decision](
    lambda ids: (
        Decision.objects.filter(pk__in=ids)
        .exclude(action=Action.HOLD.value)
        .select_related("strategy__account", "prediction")
        # Why it was decided is for people to read.
        .defer("factors", "vetoes", "inputs", "prediction__features")
        .order_by("pk")
    ),
    "ids",
)
_PLACED = PreparedQuery(
    lambda ids: Order.objects.filter(decision__pk__in=ids).values_list(
        "decision_id", "state", "pk", "is_reduce_only"
    ),
    "ids",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A wish with the decision that it comes from, if any."""

    wish: Wish
    decision: Decision | None = None
    is_manual: bool = False
    context: dict[str, Any] = field(default_factory=dict)


class Approval(NamedTuple):
    """An order that is APPROVED and not claimed yet.

    Attributes:
        row: The order, if this transaction has inserted it.
    """

    order_id: int
    is_reduce_only: bool
    row: Order | None = None


def approve_decisions(*, decision_ids: Sequence[int], clock: Clock) -> list[int]:
    """Turn decisions into orders and return the ids of the approved ones, exits first."""
    return [found.order_id for found in approve(decision_ids=decision_ids, clock=clock)]


@transaction.atomic(savepoint=False)
def approve(*, decision_ids: Sequence[int], clock: Clock) -> list[Approval]:
    """Turn decisions into orders, APPROVED or DENIED, once.

    A decision that has its order already keeps it: redelivery returns the same ids. The number
    of queries does not depend on the number of decisions.

    Returns:
        These decisions' orders that are APPROVED and not claimed yet, exits first.
    """
    now = clock.now()
    decisions = _DECISIONS(ids=list(decision_ids))
    accounts = {row.strategy.account_id: row.strategy.account for row in decisions}
    approved: list[Approval] = []
    for account_id, account in sorted(accounts.items()):
        lock_account(account_id)
        own = [row for row in decisions if row.strategy.account_id == account_id]
        approved += _approve_own(account=account, decisions=own, now=now, clock=clock)
    return sorted(approved, key=lambda found: (not found.is_reduce_only, found.order_id))


def _approve_own(
    *, account: Account, decisions: Sequence[Decision], now: datetime, clock: Clock
) -> list[Approval]:
    placed = list(_PLACED(ids=[row.pk for row in decisions]))
    waiting = [Approval(*row[2:]) for row in placed if row[1] == OrderState.APPROVED.value]
    done = {row[0] for row in placed}
    fresh = [row for row in decisions if row.pk not in done]
    if not fresh:
        return waiting
    intents = _intents_of(fresh, account=account, now=now, clock=clock)
    orders = insert_judged(account=account, intents=intents, now=now)
    return waiting + [
        Approval(order.pk, order.is_reduce_only, order)
        for order in orders
        if order.state == OrderState.APPROVED.value
    ]


def _intents_of(
    decisions: Sequence[Decision], *, account: Account, now: datetime, clock: Clock
) -> list[Intent]:
    """Return what decisions wish for; one whose position is closed already wishes for nothing."""
    rules = list_rules({row.instrument_id for row in decisions})
    exits = [row.instrument_id for row in decisions if row.action == Action.EXIT.value]
    held = Position.objects.filter(
        account=account, instrument_id__in=exits, status=Position.Status.OPEN
    )
    rows = held.select_related("account") if exits else ()
    positions = {row.instrument_id: row for row in rows}
    intents = []
    for decision in decisions:
        rule = rules.get(decision.instrument_id)
        if rule is None or decision.price <= 0:
            continue
        if decision.action == Action.ENTER.value:
            wish = wish_to_enter(decision, rules=rule, now=now, clock=clock)
        elif decision.instrument_id in positions:
            position = positions[decision.instrument_id]
            wish = wish_to_exit(
                position,
                key=f"decision:{decision.pk}",
                attempt=1,
                rules=rule,
                now=now,
                clock=clock,
                decision_id=decision.pk,
            )
            part = part_of(
                held=position.quantity,
                fraction=decision.exit_fraction,
                price=decision.price,
                rules=rule,
            )
            wish = replace(wish, quantity=part)
        else:
            continue  # flat already: a protective order was faster
        intents.append(Intent(wish=wish, decision=decision))
    return intents


@transaction.atomic
def approve_exits(
    *,
    account_id: int,
    position_ids: Sequence[int],
    is_manual: bool,
    clock: Clock,
    is_sliced: bool = False,
) -> list[int]:
    """Turn the wish to close positions into orders; what is flat or being closed is left out.

    Sliced, each order sells at most one slice and not below its slippage cap.
    """
    now = clock.now()
    lock_account(account_id)
    closing = Order.objects.filter(
        position__in=list(position_ids),
        leg=Leg.EXIT.value,
        state__in=[state.value for state in OrderState if not state.is_final],
    ).values_list("position_id", flat=True)
    positions = list(
        Position.objects.filter(
            pk__in=list(position_ids), account_id=account_id, status=Position.Status.OPEN
        )
        .exclude(pk__in=list(closing))
        .select_related("account")
        .order_by("pk")
    )
    if not positions:
        return []
    attempts = next_attempts([row.pk for row in positions], Leg.EXIT)
    rules = list_rules({row.instrument_id for row in positions})
    pieces = next_slices(positions, rules) if is_sliced else {}
    intents = [
        Intent(
            wish=wish_to_exit(
                row,
                key=f"position:{row.pk}",
                attempt=attempts[row.pk],
                rules=rules[row.instrument_id],
                now=now,
                clock=clock,
                piece=pieces.get(row.pk),
            ),
            is_manual=is_manual,
        )
        for row in positions
    ]
    orders = insert_judged(account=positions[0].account, intents=intents, now=now)
    return [order.pk for order in orders if order.state == OrderState.APPROVED.value]


def insert_judged(
    *,
    account: Account,
    intents: Sequence[Intent],
    now: datetime,
    without: Collection[int] = (),
) -> list[Order]:
    """Ask the gate and insert the orders. The caller's transaction holds ``lock_account``.

    Args:
        account: Whose.
        intents: What is wanted, in the order in which it is judged.
        now: Market time.
        without: Live orders that are gone before any of these can exist.
    """
    if not intents:
        return []
    instrument_ids = {intent.wish.instrument_id for intent in intents}
    rules = list_rules(instrument_ids)
    in_force = read_limits()
    limits = in_force.limits
    marks = list_marks(instrument_ids)
    proposals = [
        propose(
            intent.wish,
            rules=rules.get(intent.wish.instrument_id),
            limits=limits,
            mark=marks.get(intent.wish.instrument_id),
            decision=intent.decision,
            is_manual=intent.is_manual,
        )
        for intent in intents
    ]
    verdicts = assess(
        account_id=account.pk,
        proposals=proposals,
        portfolio=build_portfolio(account_id=account.pk, now=now, without=without),
        rules=rules,
        limits=in_force,
        now=now,
    )
    fee_fraction = limits.fee_fraction if limits else Decimal(0)
    orders = [
        _order(intent, proposal, verdict, fee_fraction=fee_fraction, now=now)
        for intent, proposal, verdict in zip(intents, proposals, verdicts, strict=True)
    ]
    Order.objects.bulk_create(orders)
    wholes = [(order, intent.wish) for order, intent in zip(orders, intents, strict=True)]
    wholes += _insert_pending(wholes, rules=rules, fee_fraction=fee_fraction, now=now)
    legs = [
        leg
        for order, wish in wholes
        for leg in build_legs(order, wish.legs, now=now, epoch=order.approved_epoch)
    ]
    Order.objects.bulk_create(legs)
    push.publish(*(order_message(order, now) for order in orders))
    return orders


def _insert_pending(
    entries: Sequence[tuple[Order, Wish]],
    *,
    rules: Mapping[int, InstrumentRules],
    fee_fraction: Decimal,
    now: datetime,
) -> list[tuple[Order, Wish]]:
    """Insert the pairs that wait at the exchange for approved entries, and return them."""
    pairs = []
    for entry, wish in entries:
        if wish.bracket is None or entry.state != OrderState.APPROVED.value:
            continue
        waiting = wish_to_wait(
            wish, rules=rules[wish.instrument_id], fee_fraction=fee_fraction, now=now
        )
        if waiting is not None:
            pair = build_order(waiting, now=now, epoch=entry.approved_epoch)
            pair.working = entry
            pairs.append((pair, waiting))
    Order.objects.bulk_create([pair for pair, _ in pairs])
    return pairs


def _order(
    intent: Intent,
    proposal: OrderProposal,
    verdict: Verdict,
    *,
    fee_fraction: Decimal,
    now: datetime,
) -> Order:
    state = OrderState.APPROVED if verdict.approved else OrderState.DENIED
    order = build_order(intent.wish, now=now, epoch=verdict.epoch, state=state)
    order.reason = "MANUAL" if intent.is_manual else ""
    order.context |= intent.context
    if not verdict.approved:
        first = verdict.denials[0]
        order.reason = first.code.value
        order.context |= {"limit": first.limit, "value": first.value}
    elif intent.wish.side is Side.BUY:
        order.reserved_quantity = reserve(
            notional=proposal.notional or Decimal(0), fee_fraction=fee_fraction
        )
        order.reserved_asset = intent.wish.account.quote_asset
    return order
