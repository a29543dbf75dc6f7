"""Balances, positions, profit and reservations: I4, I5, I7 and I8."""

from collections.abc import Sequence
from decimal import Decimal

from execution.domain.fifo import fifo
from execution.domain.invariants import Answer, Finding
from execution.domain.order import LIVE_STATES, Leg, OrderState, Side
from execution.models import Fill, Position
from execution.services.books import state_of
from execution.services.replay import execution_of, is_external, recompute
from execution.services.world.orders import NO_TRUTH
from execution.services.world.rows import World
from risk.domain.order_forms import worst_price

_ZERO = Decimal(0)


def check_balances(world: World) -> Answer:
    """I4: stored total, sum of the ledger and the exchange's free and locked are one figure."""
    theirs = world.truth.totals if world.truth is not None else None
    assets = sorted({*world.balances, *world.ledger_sums, *(theirs or {})})
    findings = []
    for asset in assets:
        stored = world.balances.get(asset, _ZERO)
        summed = world.ledger_sums.get(asset, _ZERO)
        if stored != summed:
            what = f"stored {stored:f}, its ledger entries make {summed:f}"
            findings.append(Finding(subject=f"balance:{asset}", problem=what))
        if theirs is not None and stored != theirs.get(asset, _ZERO):
            what = f"{stored:f} here, {theirs.get(asset, _ZERO):f} at the exchange"
            findings.append(Finding(subject=f"balance:{asset}", problem=what))
    return Answer(
        compared=len(assets), findings=tuple(findings), not_checked="" if theirs else NO_TRUTH
    )


def check_positions(world: World) -> Answer:
    """I5: every position, open or closed, is what its fills make."""
    findings = []
    for position in world.positions:
        fills = world.fills_by_position.get(position.pk, [])
        state = recompute(position, fills, rules=world.rules[position.instrument_id])
        if state is None:
            continue
        stored = state_of(position)
        held = position.quantity + position.dust_quantity
        if state.quantity != held:
            what = f"holds {held:f}, its fills make {state.quantity:f}"
            findings.append(Finding(subject=f"position:{position.pk}", problem=what))
        for name in ("cost_quote", "realized_pnl", "fees_quote", "entry_quote", "exit_quote"):
            told, made = getattr(stored, name), getattr(state, name)
            if told != made:
                what = f"{name} is {told:f}, its fills make {made:f}"
                findings.append(Finding(subject=f"position:{position.pk}", problem=what))
    return Answer(compared=len(world.positions), findings=tuple(findings))


def check_profit(world: World) -> Answer:
    """I7: cash in less cash out is profit less what is still held; FIFO agrees when flat."""
    findings = []
    compared = 0
    for position in world.positions:
        fills = world.fills_by_position.get(position.pk, [])
        if any(is_external(fill) for fill in fills):
            continue
        compared += 1
        findings += _compare_profit(world, position, fills)
    return Answer(compared=compared, findings=tuple(findings))


def _compare_profit(world: World, position: Position, fills: Sequence[Fill]) -> list[Finding]:
    rules = world.rules[position.instrument_id]
    subject = f"position:{position.pk}"
    found = []
    by_fill = sum((fill.realized_pnl for fill in fills), _ZERO)
    if by_fill != position.realized_pnl:
        what = f"profit {position.realized_pnl:f}, its fills say {by_fill:f}"
        found.append(Finding(subject=subject, problem=what))
    result = fifo(
        (execution_of(fill) for fill in fills),
        base_asset=rules.base_asset,
        quote_asset=rules.quote_asset,
        carried_quantity=position.carried_quantity,
        carried_cost_quote=position.carried_cost_quote,
    )
    # Both methods split the same total between profit and what is held.
    ours = position.realized_pnl - position.cost_quote
    if result.realized_pnl - result.cost_quote != ours:
        what = f"average cost makes {ours:f}, FIFO {result.realized_pnl - result.cost_quote:f}"
        found.append(Finding(subject=subject, problem=what))
    if not result.quantity and result.realized_pnl != position.realized_pnl:
        what = f"flat with {position.realized_pnl:f} by average, {result.realized_pnl:f} by FIFO"
        found.append(Finding(subject=subject, problem=what))
    return found


def check_reservations(world: World) -> Answer:
    """I8: live buys reserve what they may cost; nothing else reserves anything."""
    findings = []
    for order in world.orders:
        is_live = OrderState(order.state) in LIVE_STATES
        reserved = order.reserved_quantity
        if not is_live and reserved:
            what = f"{order.state} and still reserves {reserved:f} {order.reserved_asset}"
            findings.append(Finding(subject=f"order:{order.pk}", problem=what))
        is_own_buy = order.side == Side.BUY.value and order.leg != Leg.EXTERNAL.value
        needs = is_live and is_own_buy and order.parent_id is None
        worst = worst_price(
            reference=None,
            price=order.price,
            stop_price=order.stop_price,
            stop_limit_price=order.leg_limit_price,
        )
        left = (order.quantity - order.filled_quantity) * (worst or _ZERO)
        if needs and (reserved <= 0 or reserved < left):
            what = f"{order.state} reserves {reserved:f}, may cost {left:f}"
            findings.append(Finding(subject=f"order:{order.pk}", problem=what))
    return Answer(compared=len(world.orders), findings=tuple(findings))
