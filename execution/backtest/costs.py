"""What trading costs beside the price on the screen."""

import math
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

from execution.domain.order import Side

_ONE = Decimal(1)
_BPS = Decimal("0.0001")
# The exchange books eight decimals of every asset and cuts what lies beyond.
_ATOM = Decimal("0.00000001")
_BOUNDS = {
    "half_spread_bps": 1000,
    "slippage_bps": 1000,
    "impact": 100,
    "latency_ms": 7 * 86_400_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Fees, spread, slippage, impact, and how much of a candle's volume one order may take.

    Attributes:
        taker_fee: Fraction of what a market order receives.
        maker_fee: Fraction of what a resting limit order receives.
        half_spread_bps: Distance of the far side of the book from the price, bps.
        slippage_bps: What a market order loses on top, bps.
        impact: Move of the price per unit of relative range times the root of the share of volume
            taken. Source: the square-root law, Almgren et al. 2005, "Direct Estimation of Equity
            Market Impact".
        participation: Largest share of a candle's volume that fills; None: no bound.
        latency_ms: From the close that is decided on to the order's arrival at the exchange.
        is_fee_in_quote: Take the fee of a buy in quote units, not out of what was bought.
    """

    taker_fee: Decimal = Decimal("0.001")
    maker_fee: Decimal = Decimal("0.001")
    half_spread_bps: Decimal = Decimal(1)
    slippage_bps: Decimal = Decimal(0)
    impact: float = 0.1
    participation: Decimal | None = Decimal("0.1")
    latency_ms: int = 250
    is_fee_in_quote: bool = False
    _offset: Decimal = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("taker_fee", "maker_fee"):
            if not 0 <= getattr(self, name) < Decimal("0.1"):
                raise ValueError(f"{name} must be from 0 to 0.1, was {getattr(self, name)}")
        for name, most in _BOUNDS.items():
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be from 0 to {most}, was {getattr(self, name)}")
        if self.participation is not None and not 0 < self.participation <= 1:
            raise ValueError(f"participation must be above 0 to 1, was {self.participation}")
        object.__setattr__(self, "_offset", (self.half_spread_bps + self.slippage_bps) * _BPS)

    @property
    def round_trip_bps(self) -> float:
        """What a small entry and exit by market orders cost together, bps."""
        return float(2 * (self.taker_fee / _BPS + self.half_spread_bps + self.slippage_bps))

    def market_price(
        self, *, side: Side, reference: Decimal, tick: Decimal, spread: float, share: float
    ) -> Decimal:
        """Return what a market order pays or gets, rounded to the tick against it.

        Args:
            side: Of the order.
            reference: Price on the screen.
            tick: Smallest step of a price.
            spread: Relative range of the candle before.
            share: Quantity over the candle's volume.
        """
        offset = self._offset
        if self.impact and share > 0.0:
            offset += Decimal(f"{self.impact * spread * math.sqrt(share):.12f}")
        is_buy = side is Side.BUY
        price = reference * (_ONE + offset if is_buy else _ONE - offset)
        rounding = ROUND_CEILING if is_buy else ROUND_FLOOR
        ticks = (price / tick).to_integral_value(rounding=rounding)
        return max(ticks, _ONE) * tick

    def fee_of(self, received: Decimal, *, is_maker: bool) -> Decimal:
        """Return the fee on what an execution received, in the same asset."""
        fraction = self.maker_fee if is_maker else self.taker_fee
        return (received * fraction).quantize(_ATOM, rounding=ROUND_DOWN)

    def most(self, volume: float) -> Decimal | None:
        """Return how much one order may fill of a candle with `volume` base units; None: all."""
        if self.participation is None:
            return None
        return Decimal(repr(volume)) * self.participation
