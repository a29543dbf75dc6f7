"""The checks before an order: one small pure function each, and the table that lists them.

A check answers with the limit and the measured value, passed or not; the gate runs them all.
Entries pass every check. Orders that reduce a position skip those that guard against *more* risk:
a stop must not be refused because the day went badly or the feed is silent.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from risk.domain import filters
from risk.domain.denials import DenialCode
from risk.domain.metrics import drawdown_fraction
from risk.domain.order_forms import FORMS
from risk.domain.results import CheckResult, Context, result
from risk.domain.snapshot import ZERO, count_orders
from risk.domain.stops import Protection, why_not_placeable
from risk.domain.trading_state import Purpose

Check = Callable[[Context], CheckResult]

_C = DenialCode
# Stamps may run a little ahead of our clock; more than this is a wrong clock, not fresh data.
_MAX_CLOCK_LEAD = timedelta(seconds=5)


def check_level(context: Context) -> CheckResult:
    """The kill switch lets orders of this purpose through."""
    proposal, state = context.proposal, context.state
    return result(
        _C.STATE_LEVEL,
        passed=state.permits(proposal.purpose, is_manual=proposal.is_manual),
        limit=state.level.value,
        value=proposal.purpose.value,
    )


def check_running(context: Context) -> CheckResult:
    """Strategies enter only while trading is started; a person's own order needs no strategy."""
    is_free = context.proposal.purpose is not Purpose.ENTRY or context.proposal.is_manual
    is_running = context.state.is_running
    return result(
        _C.STATE_STOPPED,
        passed=is_running or is_free,
        limit="running",
        value="running" if is_running else "stopped",
    )


def check_reconciled(context: Context) -> CheckResult:
    """Our books were compared with the exchange's since the start, and no difference is open."""
    at = context.portfolio.last_reconciled_at
    return result(_C.RECONCILE_NOT_GREEN, passed=at is not None, value=at or "never")


def check_unresolved(context: Context) -> CheckResult:
    """No order of the symbol is in doubt."""
    return result(_C.SYMBOL_UNRESOLVED, passed=not context.exposure.has_unresolved)


def check_order_notional(context: Context) -> CheckResult:
    """The order alone is not above its own limit."""
    cap = context.limits.max_order_notional or context.limits.max_position_size
    notional = _notional(context)
    return result(_C.ORDER_NOTIONAL, passed=notional <= cap, limit=cap, value=notional)


def check_order_count(context: Context) -> CheckResult:
    """Not too many open orders over all symbols, this one counted."""
    limit = context.limits.max_open_orders
    count = context.portfolio.open_orders + count_orders(context.proposal)
    return result(_C.ORDER_COUNT, passed=count <= limit, limit=limit, value=count)


def check_position_notional(context: Context) -> CheckResult:
    """Position, all live buys as if filled, and this buy are within `max_position_size`."""
    limit = context.limits.max_position_size
    exposure = context.exposure
    mark = max(exposure.mark_price or ZERO, context.proposal.reference or ZERO)
    total = exposure.position_quantity * mark + exposure.pending_buy_notional
    if context.proposal.side == "BUY":
        total += _notional(context)
    return result(_C.POSITION_NOTIONAL, passed=total <= limit, limit=limit, value=total)


def check_position_count(context: Context) -> CheckResult:
    """Not too many symbols with exposure, this one counted."""
    limit = context.limits.max_positions
    exposed = {
        instrument_id
        for instrument_id, exposure in context.portfolio.exposures.items()
        if exposure.has_exposure
    }
    count = len(exposed | {context.proposal.instrument_id})
    return result(_C.POSITION_COUNT, passed=count <= limit, limit=limit, value=count)


def check_short(context: Context) -> CheckResult:
    """A sale is covered by what is held and not yet being sold."""
    left = _sellable(context)
    quantity = context.proposal.quantity
    passed = context.proposal.side != "SELL" or quantity <= left
    return result(_C.POSITION_SHORT, passed=passed, limit=left, value=quantity)


def check_reduces(context: Context) -> CheckResult:
    """A reduce-only order is a sale of at most what is left of the position."""
    left, proposal = _sellable(context), context.proposal
    reduces = proposal.side == "SELL" and proposal.quantity <= left
    return result(
        _C.REDUCE_ONLY_INCREASES,
        passed=not proposal.is_reduce_only or reduces,
        limit=left,
        value=proposal.quantity,
    )


def check_daily_loss(context: Context) -> CheckResult:
    """Today's loss is below its limit; unknown equity counts as lost."""
    limit = context.limits.max_daily_loss
    portfolio = context.portfolio
    if portfolio.equity is None or portfolio.day_start_equity is None:
        return result(_C.LOSS_DAILY, passed=False, limit=limit, value="equity unknown")
    loss = portfolio.day_start_equity - portfolio.equity
    return result(_C.LOSS_DAILY, passed=loss < limit, limit=limit, value=loss)


def check_drawdown(context: Context) -> CheckResult:
    """The drawdown from the high-water mark is below its limit."""
    limit = context.limits.max_drawdown_fraction
    portfolio = context.portfolio
    if portfolio.equity is None or portfolio.high_water_mark is None:
        return result(_C.LOSS_DRAWDOWN, passed=False, limit=limit, value="equity unknown")
    drawdown = drawdown_fraction(equity=portfolio.equity, high_water_mark=portfolio.high_water_mark)
    return result(_C.LOSS_DRAWDOWN, passed=drawdown < limit, limit=limit, value=drawdown)


def check_stop_placeable(context: Context) -> CheckResult:
    """The protective orders of a strategy's entry could be placed. By hand they are optional."""
    proposal, reference = context.proposal, context.proposal.entry_price
    stop, limit, target = (
        proposal.stop_loss_price,
        proposal.stop_limit_price,
        proposal.take_profit_price,
    )
    if proposal.is_manual and stop is None and target is None:
        return result(_C.STOP_NOT_PLACEABLE, passed=True, value="none wanted")
    if stop is None or limit is None or target is None or reference is None:
        return result(_C.STOP_NOT_PLACEABLE, passed=False, value="no protective prices")
    wrong = why_not_placeable(
        quantity=proposal.quantity,
        reference=reference,
        protection=Protection(stop_price=stop, stop_limit_price=limit, take_profit_price=target),
        fee_fraction=context.limits.fee_fraction,
        rules=context.rules,
    )
    return result(_C.STOP_NOT_PLACEABLE, passed=wrong is None, value=wrong or "")


def check_data_age(context: Context) -> CheckResult:
    """The newest market data is young enough, and not from the future."""
    limit = timedelta(seconds=context.limits.max_data_age_bars * context.proposal.bar_s)
    age = context.now - context.proposal.data_at
    return result(
        _C.DATA_STALE,
        passed=-_MAX_CLOCK_LEAD <= age <= limit,
        limit=f"{limit.total_seconds():g} s",
        value=f"{age.total_seconds():g} s",
    )


def check_price_collar(context: Context) -> CheckResult:
    """No limit price is further from the reference than the collar.

    What waits for a stop price is measured from that: the market will be there when it comes to
    life. Protective prices are far away on purpose and are checked by `check_stop_placeable`.
    """
    limit = context.limits.price_collar_fraction
    proposal = context.proposal
    price, reference = proposal.price, proposal.reference
    if FORMS[proposal.type].trigger and proposal.stop_price is not None:
        if FORMS[proposal.type].legs:
            price = proposal.leg_limit_price
        reference = proposal.stop_price
    if price is None or reference is None:
        return result(_C.PRICE_COLLAR, passed=True, limit=limit)
    distance = abs(price - reference) / reference
    return result(_C.PRICE_COLLAR, passed=distance <= limit, limit=limit, value=distance)


def check_duplicate_intent(context: Context) -> CheckResult:
    """This leg of this decision has no order yet."""
    key = context.proposal.intent_key
    return result(_C.DUPLICATE_INTENT, passed=key not in context.portfolio.live_keys, value=key)


def check_duplicate_order(context: Context) -> CheckResult:
    """The same strategy (or person) did not place the same order a moment ago."""
    proposal = context.proposal
    window = timedelta(seconds=context.limits.duplicate_window_s)
    wanted = (
        proposal.instrument_id,
        proposal.strategy_id,
        proposal.side,
        proposal.quantity,
        proposal.price,
    )
    is_repeated = any(
        (recent.instrument_id, recent.strategy_id, recent.side, recent.quantity, recent.price)
        == wanted
        and context.now - recent.created_at < window
        for recent in context.portfolio.recent_orders
    )
    return result(_C.DUPLICATE_ORDER, passed=not is_repeated, limit=f"{window.total_seconds():g} s")


def check_quote_balance(context: Context) -> CheckResult:
    """Free quote covers notional, the worst fee and the reserve."""
    limits = context.limits
    available = context.portfolio.available_quote
    needed = ZERO
    if context.proposal.side == "BUY":
        needed = _notional(context) * (1 + limits.fee_fraction) + limits.fee_reserve
    return result(_C.BALANCE_QUOTE, passed=needed <= available, limit=available, value=needed)


def check_base_balance(context: Context) -> CheckResult:
    """The ledger has the base asset that a sale needs."""
    balance = context.exposure.base_balance
    needed = context.proposal.quantity if context.proposal.side == "SELL" else ZERO
    return result(_C.BALANCE_BASE, passed=needed <= balance, limit=balance, value=needed)


def _notional(context: Context) -> Decimal:
    notional = context.proposal.notional
    if notional is None:
        raise ValueError("the schema check lets no proposal through without a reference price")
    return notional


def _sellable(context: Context) -> Decimal:
    """Base units of the position that are not being sold yet.

    An exit replaces the protective orders, so these do not count against it.
    """
    exposure = context.exposure
    left = exposure.position_quantity - exposure.pending_exit_quantity
    # A person's protective order takes the place of the ones that are there.
    if context.proposal.purpose is Purpose.PROTECT and not context.proposal.is_manual:
        left -= exposure.protective_quantity
    return left


# Every order passes these, in this order; the first failed one is the order's reason.
ALWAYS: tuple[Check, ...] = (
    check_level,
    check_running,
    filters.check_symbol_status,
    check_duplicate_intent,
    filters.check_price_filter,
    filters.check_lot_size,
    filters.check_market_lot_size,
    filters.check_notional,
    filters.check_percent_price,
    filters.check_max_orders,
    filters.check_max_algo_orders,
    filters.check_trailing_delta,
    filters.check_trigger_side,
    check_short,
    check_reduces,
    check_base_balance,
)
# Only what may increase exposure passes these too.
ENTRY_ONLY: tuple[Check, ...] = (
    check_reconciled,
    check_unresolved,
    check_data_age,
    check_duplicate_order,
    check_daily_loss,
    check_drawdown,
    check_position_count,
    check_position_notional,
    check_order_notional,
    check_order_count,
    check_price_collar,
    check_quote_balance,
    check_stop_placeable,
)
