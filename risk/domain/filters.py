"""The exchange's own filters, applied before it has to: a refused order costs a request."""

from decimal import Decimal

from risk.domain.denials import DenialCode
from risk.domain.order_forms import FORMS
from risk.domain.results import CheckResult, Context, result
from risk.domain.snapshot import count_algo_orders, count_orders

_C = DenialCode


def check_symbol_status(context: Context) -> CheckResult:
    """The symbol is trading."""
    status = context.rules.status
    return result(_C.SYMBOL_NOT_TRADING, passed=status == "TRADING", limit="TRADING", value=status)


def check_price_filter(context: Context) -> CheckResult:
    """PRICE_FILTER: every price is on the tick and within the bounds; a bound of 0 is none."""
    rules = context.rules
    for price in _list_prices(context):
        if price % rules.tick_size:
            return result(_C.FILTER_PRICE, passed=False, limit=rules.tick_size, value=price)
        if rules.min_price and price < rules.min_price:
            return result(_C.FILTER_PRICE, passed=False, limit=rules.min_price, value=price)
        if rules.max_price and price > rules.max_price:
            return result(_C.FILTER_PRICE, passed=False, limit=rules.max_price, value=price)
    return result(_C.FILTER_PRICE, passed=True, limit=rules.tick_size)


def check_lot_size(context: Context) -> CheckResult:
    """LOT_SIZE: the quantity is on the step and within the bounds."""
    rules, quantity = context.rules, context.proposal.quantity
    if quantity % rules.step_size:
        return result(_C.FILTER_LOT_SIZE, passed=False, limit=rules.step_size, value=quantity)
    if rules.min_quantity and quantity < rules.min_quantity:
        return result(_C.FILTER_LOT_SIZE, passed=False, limit=rules.min_quantity, value=quantity)
    passed = not rules.max_quantity or quantity <= rules.max_quantity
    return result(_C.FILTER_LOT_SIZE, passed=passed, limit=rules.max_quantity or "", value=quantity)


def check_market_lot_size(context: Context) -> CheckResult:
    """MARKET_LOT_SIZE: what trades at the market is not larger than the exchange takes."""
    proposal = context.proposal
    limit, quantity = context.rules.market_max_quantity, proposal.quantity
    is_market = proposal.price is None or (
        bool(FORMS[proposal.type].legs) and proposal.leg_limit_price is None
    )
    passed = not is_market or not limit or quantity <= limit
    return result(_C.FILTER_MARKET_LOT_SIZE, passed=passed, limit=limit or "", value=quantity)


def check_notional(context: Context) -> CheckResult:
    """NOTIONAL, MIN_NOTIONAL: each order's worth is within the bounds at its own price."""
    rules, quantity = context.rules, context.proposal.quantity
    prices = _list_limit_prices(context) or [_reference(context)]
    least, most = quantity * min(prices), quantity * max(prices)
    if rules.min_notional and least < rules.min_notional:
        return result(_C.FILTER_NOTIONAL, passed=False, limit=rules.min_notional, value=least)
    passed = not rules.max_notional or most <= rules.max_notional
    return result(_C.FILTER_NOTIONAL, passed=passed, limit=rules.max_notional or "", value=most)


def check_percent_price(context: Context) -> CheckResult:
    """PERCENT_PRICE_BY_SIDE: limit prices are near the exchange's average price."""
    rules = context.rules
    if context.proposal.side == "BUY":
        up, down = rules.bid_multiplier_up, rules.bid_multiplier_down
    else:
        up, down = rules.ask_multiplier_up, rules.ask_multiplier_down
    reference = _reference(context)
    for price in _list_limit_prices(context):
        if up and price > reference * up:
            return result(_C.FILTER_PERCENT_PRICE, passed=False, limit=reference * up, value=price)
        if down and price < reference * down:
            return result(
                _C.FILTER_PERCENT_PRICE, passed=False, limit=reference * down, value=price
            )
    return result(_C.FILTER_PERCENT_PRICE, passed=True)


def check_max_orders(context: Context) -> CheckResult:
    """MAX_NUM_ORDERS: the symbol's open orders, this one counted."""
    limit = context.rules.max_open_orders
    count = context.exposure.open_orders + count_orders(context.proposal)
    return result(
        _C.FILTER_MAX_ORDERS, passed=not limit or count <= limit, limit=limit or "", value=count
    )


def check_max_algo_orders(context: Context) -> CheckResult:
    """MAX_NUM_ALGO_ORDERS: the symbol's open stop orders, this one counted."""
    limit, added = context.rules.max_algo_orders, count_algo_orders(context.proposal)
    count = context.exposure.open_algo_orders + added
    passed = not limit or not added or count <= limit
    return result(_C.FILTER_MAX_ALGO_ORDERS, passed=passed, limit=limit or "", value=count)


def check_trailing_delta(context: Context) -> CheckResult:
    """TRAILING_DELTA: the trailing stop's distance is one that the exchange takes."""
    rules, delta = context.rules, context.proposal.trailing_delta_bps
    low, high = rules.trailing_bounds(context.proposal.side)
    passed = delta is None or ((low or 0) <= delta and (not high or delta <= high))
    limit = f"{low or 0} to {high or 'any'} bps"
    return result(_C.FILTER_TRAILING_DELTA, passed=passed, limit=limit, value=delta or "")


def check_trigger_side(context: Context) -> CheckResult:
    """A stop is on its side of the market: it must not trigger in the moment it is placed."""
    proposal, reference = context.proposal, _reference(context)
    form, price = FORMS[proposal.type], proposal.stop_price
    is_above = (form.trigger > 0) == (proposal.side == "BUY")
    passed = price is None or not form.trigger or _lies(price, reference, is_above=is_above)
    if passed and form.legs and proposal.price is not None:
        # The limit leg of a pair lies on the other side of the market.
        price = proposal.price
        passed = _lies(price, reference, is_above=not is_above)
    limit = f"stop {'above' if is_above else 'below'} {reference}"
    return result(_C.TRIGGER_SIDE, passed=passed, limit=limit, value=price or "")


def _lies(price: Decimal, reference: Decimal, *, is_above: bool) -> bool:
    return price > reference if is_above else price < reference


def _list_limit_prices(context: Context) -> list[Decimal]:
    """Prices at which the order may rest; an OCO's stop leg is checked with its trigger."""
    proposal = context.proposal
    form = FORMS[proposal.type]
    prices = [] if proposal.price is None else [proposal.price]
    leg = None
    if form.legs:
        # An entry carries the limit of the stop that will protect it: that is no price of its own.
        own = proposal.stop_limit_price if proposal.side == "SELL" else None
        leg = proposal.leg_limit_price or own or proposal.stop_price
    elif form.trigger and proposal.price is None:
        leg = proposal.stop_price
    prices += [] if leg is None else [leg]
    return prices


def _list_prices(context: Context) -> list[Decimal]:
    proposal = context.proposal
    named = (
        proposal.price,
        proposal.stop_price,
        proposal.leg_limit_price,
        proposal.stop_loss_price,
        proposal.stop_limit_price,
        proposal.take_profit_price,
    )
    return [price for price in named if price is not None]


def _reference(context: Context) -> Decimal:
    reference = context.proposal.reference
    if reference is None:
        raise ValueError("the schema check lets no proposal through without a reference price")
    return reference
