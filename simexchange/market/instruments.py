"""Usual prices and grids of well known symbols, and a plausible guess for any other."""

import math
import zlib
from dataclasses import dataclass

from simexchange.market.grid import Grid, split_symbol


@dataclass(frozen=True, slots=True)
class Usual:
    """What a generated market of an asset looks like: price in quote, decimals of its grid."""

    price: float
    price_decimals: int
    step_decimals: int


USUAL: dict[str, Usual] = {
    "BTC": Usual(60_000.0, 2, 5),
    "ETH": Usual(3_000.0, 2, 4),
    "SOL": Usual(150.0, 2, 3),
    "BNB": Usual(550.0, 2, 3),
    "LTC": Usual(80.0, 2, 3),
    "AVAX": Usual(30.0, 3, 2),
    "LINK": Usual(15.0, 3, 2),
    "XRP": Usual(0.55, 4, 1),
    "ADA": Usual(0.45, 4, 1),
    "DOGE": Usual(0.12, 5, 0),
    "FIL": Usual(4.2, 3, 2),
    "NEAR": Usual(4.5, 3, 1),
}
FIVE_DIGITS = 4
"""A guessed tick gives a price five significant digits."""


def usual_for(symbol: str) -> Usual:
    """Return the usual price and grid of a symbol's base asset.

    Raises:
        ValueError: when the symbol ends in no known quote asset.
    """
    base, _ = split_symbol(symbol)
    known = USUAL.get(base)
    if known is not None:
        return known
    spread_out = zlib.crc32(base.encode()) / 2**32
    price = 10 ** (3.0 * spread_out - 0.5)
    return usual_of_price(price)


def usual_step_decimals(symbol: str, price: float) -> int:
    """Return the decimals of the usual step of a symbol that trades at `price`."""
    known = USUAL.get(split_symbol(symbol)[0])
    return known.step_decimals if known else usual_of_price(price).step_decimals


def usual_of_price(price: float) -> Usual:
    """Return a plausible grid for an asset at `price`: a step is worth about one quote unit."""
    magnitude = math.floor(math.log10(price))
    return Usual(price, min(8, max(0, FIVE_DIGITS - magnitude)), min(8, max(0, magnitude)))


def generated_grid(symbol: str) -> Grid:
    """Return the grid of a generated symbol: exact quote volumes, volumes on the step."""
    usual = usual_for(symbol)
    return Grid(
        symbol=symbol,
        price_decimals=usual.price_decimals,
        step_decimals=usual.step_decimals,
        volume_decimals=usual.step_decimals,
        quote_decimals=min(8, usual.price_decimals + usual.step_decimals),
    )
