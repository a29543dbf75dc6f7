"""What protects a position at the exchange: a stop below it, and maybe a target above."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from execution.domain.order import OrderType, Side

_BPS = Decimal(10_000)


class Rules(Protocol):
    """What is needed of ``markets.domain.instrument.InstrumentRules``."""

    @property
    def min_quantity(self) -> Decimal: ...

    @property
    def min_notional(self) -> Decimal: ...

    def trailing_bounds(self, side: str) -> tuple[int | None, int | None]: ...

    def quantize_quantity(self, quantity: Decimal) -> Decimal: ...

    def quantize_price(self, price: Decimal, side: str) -> Decimal: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """The stop and the target that a person gives an entry; quote per base."""

    stop_price: Decimal
    take_profit_price: Decimal

    @classmethod
    def from_json(cls, told: Mapping[str, str]) -> "Bracket":
        """Return what ``to_json`` returned."""
        return cls(**{name: Decimal(text) for name, text in told.items()})

    def to_json(self) -> dict[str, str]:
        """Return the prices as an order's context keeps them."""
        return {
            "stop_price": f"{self.stop_price:f}",
            "take_profit_price": f"{self.take_profit_price:f}",
        }


class ProtectionStyle(StrEnum):
    """How a strategy's positions are protected."""

    PAIR = "PAIR"  # a stop and a target; one cancels the other
    TRAILING = "TRAILING"  # a stop that follows the price, and no target
    TRAILING_PAIR = "TRAILING_PAIR"  # a target, and a stop that follows the price

    @property
    def has_target(self) -> bool:
        return self is not ProtectionStyle.TRAILING

    @property
    def is_trailing(self) -> bool:
        return self is not ProtectionStyle.PAIR


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionTerms:
    """What a strategy wants of its protection; a stop never further away than the limit's.

    Attributes:
        chosen: What a person gave the entry: it counts before everything else.
    """

    style: ProtectionStyle = ProtectionStyle.PAIR
    trailing_delta_bps: int = 200
    chosen: Bracket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionPlan:
    """A stop and maybe a target: quantity in base units, prices in quote.

    Attributes:
        take_profit_price: None: no target.
        stop_price: Trigger of the stop; of a trailing one where it starts.
        trailing_delta_bps: How far the stop follows the best price; None: it stays.
    """

    quantity: Decimal
    take_profit_price: Decimal | None
    stop_price: Decimal
    trailing_delta_bps: int | None = None

    @property
    def type(self) -> OrderType:
        """What is placed: a list, or a stop alone."""
        return OrderType.OCO if self.take_profit_price is not None else OrderType.STOP_LOSS

    @property
    def trigger_price(self) -> Decimal | None:
        """The stop price to send: a trailing stop starts from the market's own price."""
        return None if self.trailing_delta_bps is not None else self.stop_price


DEFAULT_TERMS = ProtectionTerms()


def plan_protection(
    *,
    held_quantity: Decimal,
    entry_price: Decimal,
    stop_loss_fraction: Decimal,
    take_profit_fraction: Decimal,
    rules: Rules,
    terms: ProtectionTerms = DEFAULT_TERMS,
) -> ProtectionPlan | None:
    """Return the protection of a long position; None when the exchange takes none of so little.

    Args:
        held_quantity: What was received, commission in the base asset already taken off.
        entry_price: Average price of the entry.
        stop_loss_fraction: 0.02 puts the stop 2 % below the entry; a trailing one follows at no
            more than that.
        take_profit_fraction: 0.05 takes the profit 5 % above it.
        rules: The symbol's grids. The stop is rounded up, towards the price: the loss stays
            within its limit.
        terms: The strategy's wish. A trailing stop that the exchange would not take at that
            distance becomes a plain one.
    """
    quantity = rules.quantize_quantity(held_quantity)
    if quantity <= 0 or quantity < rules.min_quantity:
        return None
    chosen = terms.chosen
    is_trailing = terms.style.is_trailing and chosen is None
    delta = _trailing_delta(terms, stop_loss_fraction, rules) if is_trailing else None
    distance = stop_loss_fraction if delta is None else delta / _BPS
    stop = entry_price * (1 - distance) if chosen is None else chosen.stop_price
    stop_price = rules.quantize_price(stop, Side.SELL)
    if quantity * stop_price < rules.min_notional:
        return None
    if chosen is not None:
        return ProtectionPlan(
            quantity=quantity,
            take_profit_price=rules.quantize_price(chosen.take_profit_price, Side.SELL),
            stop_price=stop_price,
        )
    target = rules.quantize_price(entry_price * (1 + take_profit_fraction), Side.SELL)
    return ProtectionPlan(
        quantity=quantity,
        take_profit_price=target if terms.style.has_target or delta is None else None,
        stop_price=stop_price,
        trailing_delta_bps=delta,
    )


def _trailing_delta(
    terms: ProtectionTerms, stop_loss_fraction: Decimal, rules: Rules
) -> int | None:
    """Return the distance within the limit and the exchange's bounds; None: there is none."""
    low, high = rules.trailing_bounds(Side.SELL)
    delta = min(terms.trailing_delta_bps, int(stop_loss_fraction * _BPS), high or int(_BPS))
    return delta if delta >= max(1, low or 1) else None
