"""What the exchange allows for one symbol, and rounding to its grid."""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

# Wide enough that rounding 38-digit numbers to an 18-digit grid stays exact.
_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentRules:
    """The filters of one symbol. Where a limit is None the exchange sets none.

    Attributes:
        instrument_id: Key of the instrument.
        symbol: Name at the exchange, such as BTCUSDT.
        base_asset: What is bought and sold.
        quote_asset: What it is paid with.
        status: TRADING, HALT, BREAK … as the exchange says.
        tick_size: Smallest step of a price, quote units.
        step_size: Smallest step of a quantity, base units.
        min_quantity: Least quantity of an order, base units.
        max_quantity: Most of a limit order.
        market_max_quantity: Most of a market order.
        min_notional: Least price x quantity, quote units.
        max_notional: Most price x quantity.
        min_price: Lowest limit price.
        max_price: Highest limit price.
        bid_multiplier_up: A buy's price is at most this x the average price.
        bid_multiplier_down: A buy's price is at least this x the average price.
        ask_multiplier_up: A sell's price is at most this x the average price.
        ask_multiplier_down: A sell's price is at least this x the average price.
        max_open_orders: Most resting orders of one account.
        max_algo_orders: Most resting stop orders of one account.
        trailing_above_bps: Least and most a buy's trailing stop may follow at; None: no bound.
        trailing_below_bps: The same of a sell's.
        otoco_allowed: An entry may wait in one list with the pair that protects it.
    """

    instrument_id: int
    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    tick_size: Decimal
    step_size: Decimal
    min_quantity: Decimal = Decimal(0)
    max_quantity: Decimal | None = None
    market_max_quantity: Decimal | None = None
    min_notional: Decimal = Decimal(0)
    max_notional: Decimal | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    bid_multiplier_up: Decimal | None = None
    bid_multiplier_down: Decimal | None = None
    ask_multiplier_up: Decimal | None = None
    ask_multiplier_down: Decimal | None = None
    max_open_orders: int | None = None
    max_algo_orders: int | None = None
    trailing_above_bps: tuple[int, int] | None = None
    trailing_below_bps: tuple[int, int] | None = None
    otoco_allowed: bool = False

    def __post_init__(self) -> None:
        for name in ("tick_size", "step_size"):
            grid = getattr(self, name)
            if not grid.is_finite() or grid <= 0:
                raise ValueError(f"{name} of {self.symbol} must be above 0, was {grid}")

    def trailing_bounds(self, side: str) -> tuple[int | None, int | None]:
        """Return the least and the most delta of a trailing stop on this side, bps."""
        bounds = self.trailing_above_bps if side == "BUY" else self.trailing_below_bps
        return bounds or (None, None)

    def quantize_quantity(self, quantity: Decimal) -> Decimal:
        """Round a quantity down to the step: never more than was asked for.

        Raises:
            ValueError: `quantity` is below 0 or not a number.
        """
        return _to_grid(quantity, self.step_size, ROUND_FLOOR, name="quantity")

    def quantize_price(self, price: Decimal, side: str) -> Decimal:
        """Round a price to the tick, never to the worse: a buy down, a sell up.

        Args:
            price: Quote per base.
            side: ``BUY`` or ``SELL``.

        Raises:
            ValueError: `price` is below 0 or not a number, or `side` is another word.
        """
        if side not in ("BUY", "SELL"):
            raise ValueError(f"side must be BUY or SELL, was {side!r}")
        rounding = ROUND_FLOOR if side == "BUY" else ROUND_CEILING
        return _to_grid(price, self.tick_size, rounding, name="price")


def _to_grid(number: Decimal, grid: Decimal, rounding: str, *, name: str) -> Decimal:
    if not isinstance(number, Decimal) or not number.is_finite() or number < 0:
        raise ValueError(f"{name} must be a Decimal of 0 or more, was {number!r}")
    steps, rest = _EXACT.divmod(number, grid)
    if rest and rounding == ROUND_CEILING:
        steps = _EXACT.add(steps, Decimal(1))
    return _EXACT.multiply(steps, grid)
