"""Orders beside the exchange's: I1, I2, I3, I6 and I10."""

from collections import Counter
from copy import copy
from decimal import Decimal

from execution.domain.fill import STATUS_EVENTS, Execution, OrderReport, VenueStatus
from execution.domain.ids import is_ours
from execution.domain.invariants import Answer, Finding
from execution.domain.order import FINAL_STATES, TRANSITIONS, Leg, OrderState, OrderType
from execution.domain.outcome import Outcome
from execution.domain.request import digest
from execution.models import Order, SubmitAttempt
from execution.services.order_rows import leader_of, to_submit
from execution.services.portfolio import intent_key
from execution.services.replay import execution_of
from execution.services.world.rows import World
from risk.selectors import list_verdicts

NO_TRUTH = "the exchange was not asked"
_ZERO = Decimal(0)
_OPEN = frozenset({VenueStatus.NEW, VenueStatus.PENDING_NEW, VenueStatus.PARTIALLY_FILLED})
# While these last, the exchange may know more than we do: the resolver is at work.
_IN_DOUBT = frozenset({OrderState.SENDING, OrderState.UNKNOWN, OrderState.QUARANTINED})
# Where an order of ours is after a status, coming from the state of just being taken.
_STATE_OF = {status: TRANSITIONS[OrderState.SENDING, e] for status, e in STATUS_EVENTS.items()}
_POSTS = frozenset(
    {
        *("/api/v3/order", "/api/v3/order/cancelReplace"),
        *("/api/v3/orderList/oco", "/api/v3/orderList/otoco"),
    }
)


def check_one_order_per_leg(world: World) -> Answer:
    """I1: no decision has two live or filled orders for one leg; no name has two orders."""
    if world.truth is None:
        return Answer(compared=0, not_checked=NO_TRUTH)
    legs: Counter[tuple[str, str]] = Counter()
    names: Counter[str] = Counter()
    for report in world.truth.orders:
        if not is_ours(report.client_order_id):
            continue
        names[report.client_order_id] += 1
        order = world.orders_by_name.get(report.client_order_id)
        if order is None or order.parent_id is not None:
            continue
        if report.status not in _OPEN and not report.filled_quantity:
            continue
        if order.decision_id is not None:
            legs[f"decision:{order.decision_id}", order.leg] += 1
        elif report.status in _OPEN:
            # A position may be closed in several goes, but never by two at a time.
            legs[f"position:{order.position_id}:{order.idempotency_key}", order.leg] += 1
    findings = [
        Finding(subject=f"{key}:{leg}", problem=f"{count} live or filled orders")
        for (key, leg), count in legs.items()
        if count > 1
    ]
    findings += [
        Finding(subject=name, problem=f"the exchange has {count} orders of this id")
        for name, count in names.items()
        if count > 1
    ]
    return Answer(compared=len(legs) + len(names), findings=tuple(findings))


def check_same_orders(world: World) -> Answer:
    """I2: whatever the exchange has we have, and the other way round, in the same state."""
    if world.truth is None:
        return Answer(compared=0, not_checked=NO_TRUTH)
    findings = []
    seen: set[tuple[str, int]] = set()
    for report in world.truth.orders:
        seen.add((report.symbol, report.venue_order_id))
        findings += _compare_order(world, report)
    for key, order in world.orders_at_venue.items():
        if key not in seen and order.created_at >= world.truth.since:
            findings.append(Finding(subject=f"order:{order.pk}", problem="not at the exchange"))
    return Answer(compared=len(seen), findings=tuple(findings))


def _compare_order(world: World, report: OrderReport) -> list[Finding]:
    order = world.orders_at_venue.get((report.symbol, report.venue_order_id))
    if order is None:
        # Taken by the exchange, and its reply not booked yet: the name tells which it is.
        order = world.orders_by_name.get(report.client_order_id)
    if order is None:
        what = f"the exchange's {report.client_order_id} ({report.status}) has no row"
        return [Finding(subject=f"{report.symbol}:{report.venue_order_id}", problem=what)]
    state = OrderState(order.state)
    if state in _IN_DOUBT:
        return []
    found = []
    subject = f"order:{order.pk}"
    if is_ours(report.client_order_id) and order.leg == Leg.EXTERNAL.value:
        found.append(Finding(subject=subject, problem="bears our prefix and was not placed here"))
    if state is not _STATE_OF[report.status]:
        what = f"is {state} here and {report.status} at the exchange"
        found.append(Finding(subject=subject, problem=what))
    if order.filled_quantity != report.filled_quantity:
        what = f"filled {order.filled_quantity:f} here, {report.filled_quantity:f} there"
        found.append(Finding(subject=subject, problem=what))
    return found


def check_same_trades(world: World) -> Answer:
    """I3: the same trades here and there, with the same figures, each once."""
    if world.truth is None:
        return Answer(compared=0, not_checked=NO_TRUTH)
    ours = {(fill.symbol, fill.venue_trade_id): fill for fill in world.fills}
    theirs = {(item.symbol, item.trade_id): item for item in world.truth.executions}
    findings = []
    for (symbol, trade_id), trade in theirs.items():
        subject = f"trade:{symbol}:{trade_id}"
        fill = ours.get((symbol, trade_id))
        if fill is None:
            findings.append(Finding(subject=subject, problem="is not booked"))
        elif _figures(execution_of(fill)) != _figures(trade):
            findings.append(Finding(subject=subject, problem="is booked with other figures"))
    for (symbol, trade_id), fill in ours.items():
        if (symbol, trade_id) not in theirs and fill.timestamp >= world.truth.since:
            what = "is booked and not at the exchange"
            findings.append(Finding(subject=f"trade:{symbol}:{trade_id}", problem=what))
    return Answer(compared=len(theirs), findings=tuple(findings))


def _figures(trade: Execution) -> tuple[object, ...]:
    return (
        trade.venue_order_id,
        trade.side,
        trade.price,
        trade.quantity,
        trade.quote_quantity,
        trade.fee,
        trade.fee_asset,
    )


def check_fills_of_orders(world: World) -> Answer:
    """I6: an order's figures are the sums of its fills, and its state fits them."""
    quantities: dict[int, Decimal] = {}
    quotes: dict[int, Decimal] = {}
    for fill in world.fills:
        quantities[fill.order_id] = quantities.get(fill.order_id, _ZERO) + fill.quantity
        quotes[fill.order_id] = quotes.get(fill.order_id, _ZERO) + fill.quote_quantity
    findings = []
    for order in world.orders:
        if OrderType(order.type).is_list:
            continue
        told = (order.filled_quantity, order.filled_quote)
        summed = (quantities.get(order.pk, _ZERO), quotes.get(order.pk, _ZERO))
        subject = f"order:{order.pk}"
        if told != summed:
            what = f"says {told[0]:f} filled, its fills make {summed[0]:f}"
            findings.append(Finding(subject=subject, problem=what))
        if order.filled_quantity > order.quantity:
            what = f"filled {order.filled_quantity:f} of {order.quantity:f}"
            findings.append(Finding(subject=subject, problem=what))
        is_full = order.filled_quantity == order.quantity
        if order.state == OrderState.FILLED.value and not is_full:
            what = f"FILLED with {order.filled_quantity:f} of {order.quantity:f}"
            findings.append(Finding(subject=subject, problem=what))
    return Answer(compared=len(world.orders), findings=tuple(findings))


def check_requests(world: World) -> Answer:
    """I10: approved, written ahead with the digest of what it asks, in time, and sent once."""
    submits = [row for row in world.attempts if row.kind == SubmitAttempt.Kind.SUBMIT.value]
    by_order = {attempt.order_id: attempt for attempt in submits}
    verdicts = _verdicts(world)
    findings = []
    for order in world.orders:
        attempt = by_order.get(order.pk)
        if attempt is not None:
            findings += _compare_request(world, order, attempt, verdicts)
    return Answer(
        compared=len(submits), findings=(*findings, *_sent_twice(world), *_unannounced(world))
    )


def _verdicts(world: World) -> dict[str, bool]:
    rows = list_verdicts().filter(account_id=world.account.pk)
    return dict(rows.values_list("intent_key", "approved"))


def _compare_request(
    world: World, order: Order, attempt: SubmitAttempt, verdicts: dict[str, bool]
) -> list[Finding]:
    subject = f"order:{order.pk}"
    found = []
    sent = _as_sent(world, order)
    request = to_submit(sent, legs=world.orders, symbol=order.instrument.symbol)
    if digest(request.parameters()) != attempt.request_sha256:
        found.append(Finding(subject=subject, problem="asks for something else than was sent"))
    if attempt.created_at >= order.expires_at:
        found.append(Finding(subject=subject, problem="was claimed after its approval expired"))
    is_by_hand = order.idempotency_key is not None
    if (is_by_hand or order.leg != Leg.PROTECT.value) and not verdicts.get(
        intent_key(order), False
    ):
        found.append(Finding(subject=subject, problem="was sent and has no approving verdict"))
    return found


def _as_sent(world: World, order: Order) -> Order:
    """Return the order with the quantity that it was placed with, before it was amended."""
    amends = [
        row
        for row in world.attempts
        if row.order_id == order.pk
        and row.kind == SubmitAttempt.Kind.AMEND.value
        and row.outcome == Outcome.ACCEPTED.value
    ]
    if not amends:
        return order
    sent = copy(order)
    sent.quantity = Decimal(amends[0].evidence["from"])
    return sent


def _sent_twice(world: World) -> list[Finding]:
    """The exchange's own log has one request for each name: nothing was sent again."""
    if world.truth is None or world.truth.requests is None:
        return []
    sent = Counter(
        request.client_order_id
        for request in world.truth.requests
        if request.method == "POST" and request.path in _POSTS and is_ours(request.client_order_id)
    )
    return [
        Finding(subject=name, problem=f"was sent {count} times")
        for name, count in sent.items()
        if count > 1
    ]


def _unannounced(world: World) -> list[Finding]:
    """Every order of ours at the exchange has an attempt whose outcome does not deny it."""
    if world.truth is None:
        return []
    outcomes: dict[int, list[str]] = {}
    for attempt in world.attempts:
        if attempt.kind == SubmitAttempt.Kind.SUBMIT.value:
            outcomes.setdefault(attempt.order_id, []).append(attempt.outcome)
    denied = {Outcome.REJECTED.value, Outcome.NOT_SENT.value, Outcome.NOT_ACCEPTED.value}
    findings = []
    for report in world.truth.orders:
        order = world.orders_by_name.get(report.client_order_id)
        if order is None or not is_ours(report.client_order_id):
            continue
        told = outcomes.get(leader_of(order))
        if told is None:
            what = "is at the exchange and was never written ahead"
            findings.append(Finding(subject=f"order:{order.pk}", problem=what))
        elif set(told) <= denied and OrderState(order.state) in FINAL_STATES:
            what = f"is at the exchange, and its attempt says {told[0]}"
            findings.append(Finding(subject=f"order:{order.pk}", problem=what))
    return findings
