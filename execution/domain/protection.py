"""The pair of orders that protects a position: take profit above, stop below."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from execution.domain.order import Side


class Rules(Protocol):
    """What is needed of ``markets.domain.instrument.InstrumentRules``."""

    @property
    def min_quantity(self) -> Decimal: ...

    @property
    def min_notional(self) -> Decimal: ...

    def quantize_quantity(self, quantity: Decimal) -> Decimal: ...

    def quantize_price(self, price: Decimal, side: str) -> Decimal: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionPlan:
    """One-cancels-other pair: quantity in base units, prices in quote."""

    quantity: Decimal
    take_profit_price: Decimal
    stop_price: Decimal


def plan_protection(
    *,
    held_quantity: Decimal,
    entry_price: Decimal,
    stop_loss_fraction: Decimal,
    take_profit_fraction: Decimal,
    rules: Rules,
) -> ProtectionPlan | None:
    """Return the pair for a long position; None when the exchange would take none of so little.

    Args:
        held_quantity: What was received, commission in the base asset already taken off.
        entry_price: Average price of the entry.
        stop_loss_fraction: 0.02 puts the stop 2 % below the entry.
        take_profit_fraction: 0.05 takes the profit 5 % above it.
        rules: The symbol's grids. The stop is rounded up, towards the price: the loss stays
            within its limit.
    """
    quantity = rules.quantize_quantity(held_quantity)
    if quantity <= 0 or quantity < rules.min_quantity:
        return None
    stop_price = rules.quantize_price(entry_price * (1 - stop_loss_fraction), Side.SELL)
    if quantity * stop_price < rules.min_notional:
        return None
    return ProtectionPlan(
        quantity=quantity,
        take_profit_price=rules.quantize_price(entry_price * (1 + take_profit_fraction), Side.SELL),
        stop_price=stop_price,
    )
