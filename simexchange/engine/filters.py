"""The checks an order passes before the engine sees it, in the order exchangeInfo lists them.

A filter the symbol does not have checks nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from simexchange.engine.decimals import ATOM, ZERO
from simexchange.engine.orders import MARKET_TYPES, OrderRequest, is_rising
from simexchange.engine.symbols import SymbolRules
from simexchange.errors import ApiError

NO_NUMBERS: dict[str, Decimal] = {}


@dataclass(frozen=True, slots=True)
class Prices:
    """What filters hold a price against: the five-minute average and the last trade."""

    average: Decimal
    last: Decimal

    def reference(self, minutes: Decimal) -> Decimal:
        """Return the price a filter with `avgPriceMins` uses; zero minutes mean the last price."""
        return self.average if minutes > 0 else self.last


def fail(name: str, code: int = -1013) -> ApiError:
    """Return the refusal of the named filter."""
    return ApiError(code, f"Filter failure: {name}")


def is_off_grid(number: Decimal, numbers: dict[str, Decimal], names: tuple[str, str, str]) -> bool:
    """Tell whether `number` is out of (low, high) or no multiple of step; zero turns a rule off."""
    low, high, step = (numbers.get(name, ZERO) for name in names)
    return (
        (low > 0 and number < low)
        or (high > 0 and number > high)
        or (step > 0 and number % step != 0)
    )


def check_price(rules: SymbolRules, request: OrderRequest, _prices: Prices) -> None:
    numbers = rules.numbers.get("PRICE_FILTER", NO_NUMBERS)
    for price in (request.price, request.stop_price):
        if price and is_off_grid(price, numbers, ("minPrice", "maxPrice", "tickSize")):
            raise fail("PRICE_FILTER")


def check_lot(rules: SymbolRules, quantity: Decimal, name: str = "LOT_SIZE") -> None:
    """Hold a quantity against a lot filter.

    Raises:
        ApiError: -1013.
    """
    numbers = rules.numbers.get(name, NO_NUMBERS)
    if quantity and is_off_grid(quantity, numbers, ("minQty", "maxQty", "stepSize")):
        raise fail(name)


def check_lots(rules: SymbolRules, request: OrderRequest, _prices: Prices) -> None:
    check_lot(rules, request.quantity)
    check_lot(rules, request.iceberg_quantity)


def check_iceberg(rules: SymbolRules, request: OrderRequest, _prices: Prices) -> None:
    if not request.iceberg_quantity or not request.quantity:
        return
    if request.iceberg_quantity > request.quantity:
        raise ApiError(-2010, "IcebergQty exceeds QTY.")
    numbers = rules.numbers.get("ICEBERG_PARTS")
    parts = -(-request.quantity // request.iceberg_quantity)
    if numbers is not None and parts > numbers["limit"]:
        raise fail("ICEBERG_PARTS")


def check_market_lot(rules: SymbolRules, request: OrderRequest, _prices: Prices) -> None:
    if request.type in MARKET_TYPES:
        check_lot(rules, request.quantity, "MARKET_LOT_SIZE")


def check_trailing(rules: SymbolRules, request: OrderRequest, _prices: Prices) -> None:
    numbers = rules.numbers.get("TRAILING_DELTA")
    if numbers is None or not request.trailing_delta:
        return
    way = "Above" if is_rising(request.type, request.side) else "Below"
    low, high = numbers[f"minTrailing{way}Delta"], numbers[f"maxTrailing{way}Delta"]
    if not low <= request.trailing_delta <= high:
        raise fail("TRAILING_DELTA")


def _check_percent(
    name: str, prefix: str, rules: SymbolRules, price: Decimal, held: Prices
) -> None:
    numbers = rules.numbers.get(name)
    if numbers is None or not price:
        return
    reference = held.reference(numbers.get("avgPriceMins", ZERO))
    if reference <= 0:
        return
    up, down = (numbers[f"{prefix}ultiplier{way}"] for way in ("Up", "Down"))
    if not reference * down <= price <= reference * up:
        raise fail(name)


def check_percent_price(rules: SymbolRules, request: OrderRequest, prices: Prices) -> None:
    _check_percent("PERCENT_PRICE", "m", rules, request.price, prices)


def check_percent_price_by_side(rules: SymbolRules, request: OrderRequest, prices: Prices) -> None:
    prefix = "bidM" if request.side == "BUY" else "askM"
    _check_percent("PERCENT_PRICE_BY_SIDE", prefix, rules, request.price, prices)


def notional_of(request: OrderRequest, reference: Decimal) -> Decimal:
    """Return what an order is worth by its own price, its stop, or the reference."""
    if request.quote_quantity:
        return request.quote_quantity
    return (request.price or request.stop_price or reference) * request.quantity


def check_min_notional(rules: SymbolRules, request: OrderRequest, prices: Prices) -> None:
    numbers = rules.numbers.get("MIN_NOTIONAL")
    if numbers is None:
        return
    is_market = request.type in MARKET_TYPES
    notional = notional_of(request, prices.reference(numbers.get("avgPriceMins", ZERO)))
    if notional < numbers["minNotional"] and (
        not is_market or rules.flag("MIN_NOTIONAL", "applyToMarket")
    ):
        raise fail("MIN_NOTIONAL")


def check_notional(rules: SymbolRules, request: OrderRequest, prices: Prices) -> None:
    numbers = rules.numbers.get("NOTIONAL")
    if numbers is None:
        return
    notional = notional_of(request, prices.reference(numbers.get("avgPriceMins", ZERO)))
    is_market = request.type in MARKET_TYPES
    low, high = numbers.get("minNotional", ZERO), numbers.get("maxNotional", ZERO)
    if notional < low and (not is_market or rules.flag("NOTIONAL", "applyMinToMarket")):
        raise fail("NOTIONAL")
    if notional > high > 0 and (not is_market or rules.flag("NOTIONAL", "applyMaxToMarket")):
        raise fail("NOTIONAL")


def check_worth(_rules: SymbolRules, request: OrderRequest, _prices: Prices) -> None:
    """Refuse what is worth less than the smallest unit, whatever the filters say."""
    if request.price and request.quantity and request.price * request.quantity < ATOM:
        raise ApiError(-2010, "Price * QTY is zero or less.")


Check = Callable[[SymbolRules, OrderRequest, Prices], None]
CHECKS: tuple[Check, ...] = (
    check_price,
    check_lots,
    check_iceberg,
    check_market_lot,
    check_trailing,
    check_percent_price,
    check_percent_price_by_side,
    check_min_notional,
    check_notional,
    check_worth,
)
AMOUNT_CHECKS: tuple[Check, ...] = (
    check_lots,
    check_iceberg,
    check_market_lot,
    check_min_notional,
    check_notional,
)
"""Those that a quantity alone can fail, where the prices were checked before."""


def check_request(
    rules: SymbolRules, request: OrderRequest, prices: Prices, checks: tuple[Check, ...] = CHECKS
) -> None:
    """Pass the request through the filters of its own numbers.

    Args:
        rules: the symbol's.
        request: a placement with mandatory parameters present; an order of a list that pays for
            its legs has no quantity yet.
        prices: what the filters hold its price against.
        checks: which filters.

    Raises:
        ApiError: -1013 with the first filter that fails.
    """
    for check in checks:
        if check in _NEED_QUANTITY and not (request.quantity or request.quote_quantity):
            continue
        check(rules, request, prices)


_NEED_QUANTITY = frozenset({check_min_notional, check_notional})
