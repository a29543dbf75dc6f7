"""The integers behind a symbol: prices in ticks, quantities in units, and their decimal text."""

from dataclasses import dataclass
from decimal import Decimal

from simexchange.market.api import Instrument

WIRE_DECIMALS = 8
QUOTES = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "EUR", "TRY", "BTC", "ETH", "BNB")


def fixed(units: int, decimals: int) -> str:
    """Return `units` * 10**-decimals as Binance prints it, with eight decimals."""
    if decimals == 0:
        return f"{units}.00000000"
    scale = 10**decimals
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), scale)
    return f"{sign}{whole}.{part:0{decimals}d}{'0' * (WIRE_DECIMALS - decimals)}"


def decimal_of(units: int, decimals: int) -> Decimal:
    """Return `units` * 10**-decimals exactly."""
    return Decimal(units).scaleb(-decimals)


def split_symbol(symbol: str) -> tuple[str, str]:
    """Return base and quote asset of a symbol such as BTCUSDT.

    Raises:
        ValueError: when no known quote asset ends the symbol.
    """
    for quote in QUOTES:
        if symbol.endswith(quote) and len(symbol) > len(quote):
            return symbol[: -len(quote)], quote
    raise ValueError(f"symbol must end in one of {', '.join(QUOTES)}, was {symbol!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Decimal places of one symbol.

    Volumes have at least as many places as the step, so that a file's volumes stay exact while
    every print of the tape stays on the step.
    """

    symbol: str
    price_decimals: int
    step_decimals: int
    volume_decimals: int
    quote_decimals: int

    def __post_init__(self) -> None:
        if not 0 <= self.step_decimals <= self.volume_decimals <= WIRE_DECIMALS:
            raise ValueError(f"step and volume decimals do not fit for {self.symbol}")
        if not 0 <= self.price_decimals <= WIRE_DECIMALS:
            raise ValueError(f"price decimals were {self.price_decimals} for {self.symbol}")
        if not 0 <= self.quote_decimals <= WIRE_DECIMALS:
            raise ValueError(f"quote decimals were {self.quote_decimals} for {self.symbol}")

    @property
    def step_units(self) -> int:
        """Volume units in one step."""
        return int(10 ** (self.volume_decimals - self.step_decimals))

    def instrument(self) -> Instrument:
        """Return the symbol's public description."""
        base, quote = split_symbol(self.symbol)
        return Instrument(
            symbol=self.symbol,
            base=base,
            quote=quote,
            tick_size=decimal_of(1, self.price_decimals),
            step_size=decimal_of(1, self.step_decimals),
        )

    def quote_units(self, ticks: int, units: int) -> int:
        """Return price * quantity in quote units, rounded down where the unit is coarser."""
        spare = self.price_decimals + self.volume_decimals - self.quote_decimals
        return ticks * units // 10**spare if spare >= 0 else ticks * units * int(10**-spare)

    def price(self, ticks: int) -> Decimal:
        """Return a price as a Decimal on the tick."""
        return decimal_of(ticks, self.price_decimals)

    def quantity(self, units: int) -> Decimal:
        """Return a quantity of volume units as a Decimal with the step's places."""
        if units % self.step_units == 0:
            return decimal_of(units // self.step_units, self.step_decimals)
        return decimal_of(units, self.volume_decimals)

    def ticks(self, price: Decimal) -> int:
        """Return a price in ticks, to the nearest tick, at least one."""
        return max(1, int((price.scaleb(self.price_decimals)).to_integral_value()))

    def units(self, quantity: Decimal) -> int:
        """Return a quantity in volume units, rounded down."""
        return int(quantity.scaleb(self.volume_decimals))

    def price_text(self, ticks: int) -> str:
        """Return a price as the wire shows it."""
        return fixed(ticks, self.price_decimals)

    def volume_text(self, units: int) -> str:
        """Return a quantity as the wire shows it."""
        return fixed(units, self.volume_decimals)

    def quote_text(self, units: int) -> str:
        """Return a quote amount as the wire shows it."""
        return fixed(units, self.quote_decimals)
