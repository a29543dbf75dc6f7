"""The checks an order passes before the engine sees it, in the exchange's order."""

from decimal import Decimal
from typing import NamedTuple

from simexchange.engine.decimals import ZERO
from simexchange.engine.orders import MARKET_TYPES, STOP_TYPES, OrderRequest
from simexchange.engine.symbols import SymbolRules
from simexchange.errors import ApiError


class OpenCounts(NamedTuple):
    """How many orders of the account are open on the symbol."""

    orders: int
    algos: int
    lists: int


def fail(name: str) -> ApiError:
    """Return the refusal of the named filter."""
    return ApiError(-1013, f"Filter failure: {name}")


def off_grid(number: Decimal, low: Decimal, high: Decimal, step: Decimal) -> bool:
    """Tell whether `number` is out of range or off the grid of `low`; zero turns a rule off."""
    return (
        (low > 0 and number < low)
        or (high > 0 and number > high)
        or (step > 0 and (number - low) % step != 0)
    )


def check_price(rules: SymbolRules, price: Decimal) -> None:
    numbers = rules.numbers["PRICE_FILTER"]
    # The grid counts from zero on Binance today: price % tickSize == 0.
    if off_grid(price, numbers["minPrice"], numbers["maxPrice"], ZERO) or off_grid(
        price, ZERO, ZERO, numbers["tickSize"]
    ):
        raise fail("PRICE_FILTER")


def check_percent_price(rules: SymbolRules, side: str, price: Decimal, reference: Decimal) -> None:
    numbers = rules.numbers.get("PERCENT_PRICE_BY_SIDE")
    if numbers is None or reference <= 0:
        return
    prefix = "bid" if side == "BUY" else "ask"
    up, down = numbers[f"{prefix}MultiplierUp"], numbers[f"{prefix}MultiplierDown"]
    if price > reference * up or price < reference * down:
        raise fail("PERCENT_PRICE_BY_SIDE")


def check_lot(rules: SymbolRules, quantity: Decimal, name: str = "LOT_SIZE") -> None:
    numbers = rules.numbers.get(name)
    if numbers is None:
        return
    low, high, step = numbers["minQty"], numbers["maxQty"], numbers["stepSize"]
    if off_grid(quantity, low, high, ZERO) or off_grid(quantity, ZERO, ZERO, step):
        raise fail(name)


def check_iceberg(rules: SymbolRules, request: OrderRequest) -> None:
    if not request.iceberg_quantity:
        return
    if request.iceberg_quantity > request.quantity:
        raise ApiError(-2010, "IcebergQty exceeds QTY.")
    check_lot(rules, request.iceberg_quantity)
    parts = -(-request.quantity // request.iceberg_quantity)
    if parts > rules.numbers["ICEBERG_PARTS"]["limit"]:
        raise fail("ICEBERG_PARTS")


def check_notional(rules: SymbolRules, notional: Decimal, *, is_market: bool) -> None:
    numbers = rules.numbers.get("NOTIONAL")
    if numbers is None:
        return
    low, high = numbers["minNotional"], numbers["maxNotional"]
    if notional < low and (not is_market or rules.flag("NOTIONAL", "applyMinToMarket")):
        raise fail("NOTIONAL")
    if notional > high > 0 and (not is_market or rules.flag("NOTIONAL", "applyMaxToMarket")):
        raise fail("NOTIONAL")


def check_counts(rules: SymbolRules, counts: OpenCounts, *, orders: int, algos: int) -> None:
    """Refuse when `orders` more (of which `algos` are stops) would be too many on the symbol."""
    numbers = rules.numbers
    if counts.orders + orders > numbers["MAX_NUM_ORDERS"]["maxNumOrders"]:
        raise fail("MAX_NUM_ORDERS")
    if algos and counts.algos + algos > numbers["MAX_NUM_ALGO_ORDERS"]["maxNumAlgoOrders"]:
        raise fail("MAX_NUM_ALGO_ORDERS")
    if orders > 1 and counts.lists >= numbers["MAX_NUM_ORDER_LISTS"]["maxNumOrderLists"]:
        raise fail("MAX_NUM_ORDER_LISTS")


def check_request(rules: SymbolRules, request: OrderRequest, reference: Decimal) -> None:
    """Pass the request through the filters of its own numbers.

    Args:
        rules: the symbol's.
        request: a placement with mandatory parameters present.
        reference: the average price of the last five minutes.

    Raises:
        ApiError: -1013 with the first filter that fails.
    """
    is_market = request.type in MARKET_TYPES
    if request.price:
        check_price(rules, request.price)
    if request.stop_price:
        check_price(rules, request.stop_price)
    if request.price:
        check_percent_price(rules, request.side, request.price, reference)
    if request.quantity:
        check_lot(rules, request.quantity)
        if is_market:
            check_lot(rules, request.quantity, "MARKET_LOT_SIZE")
    check_iceberg(rules, request)
    price = request.price or (request.stop_price if request.type in STOP_TYPES else reference)
    notional = request.quote_quantity or price * request.quantity
    check_notional(rules, notional, is_market=is_market)
