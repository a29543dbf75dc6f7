"""The latest price of one symbol."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticker:
    """The last price that the exchange told us, and when.

    Attributes:
        symbol: Name at the exchange.
        price: Last trade, quote per base.
        at: Market time of that price.
    """

    symbol: str
    price: Decimal
    at: datetime

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price <= 0:
            raise ValueError(f"price of {self.symbol} must be above 0, was {self.price}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The price at which an instrument is valued; `at` tells its age."""

    price: Decimal
    at: datetime
