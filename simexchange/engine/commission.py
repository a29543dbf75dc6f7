"""What a fill costs: rates by role and side, and the discount for paying in BNB.

Source: Binance Spot documentation, "Commission Rates" FAQ.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal
from typing import Any

from simexchange.engine.decimals import ZERO, read_decimal

DISCOUNT_ASSET = "BNB"
USUAL_DISCOUNT = Decimal("0.75")
"""The standard commission is multiplied by it: a quarter is given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Fractions of what a fill receives, by role and by side."""

    maker: Decimal = ZERO
    taker: Decimal = ZERO
    buyer: Decimal = ZERO
    seller: Decimal = ZERO

    def of(self, *, is_maker: bool, is_buyer: bool) -> Decimal:
        """Return the fraction that a fill of this role and side pays."""
        return (self.maker if is_maker else self.taker) + (self.buyer if is_buyer else self.seller)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commission:
    """An account's commission: three kinds of rates, of which the discount cuts the first."""

    standard: Rates = field(default_factory=Rates)
    special: Rates = field(default_factory=Rates)
    tax: Rates = field(default_factory=Rates)
    has_discount: bool = False
    discount: Decimal = USUAL_DISCOUNT

    @classmethod
    def flat(cls, maker: Decimal, taker: Decimal) -> "Commission":
        """Return a commission of standard maker and taker rates alone."""
        return cls(standard=Rates(maker=maker, taker=taker))

    def fraction(self, *, is_maker: bool, is_buyer: bool) -> Decimal:
        """Return what a fill pays of the asset it receives."""
        return self.standard.of(is_maker=is_maker, is_buyer=is_buyer) + self._undiscounted(
            is_maker=is_maker, is_buyer=is_buyer
        )

    def discounted(self, *, is_maker: bool, is_buyer: bool) -> Decimal:
        """Return what a fill pays when it pays in the discount asset."""
        standard = self.standard.of(is_maker=is_maker, is_buyer=is_buyer)
        return standard * self.discount + self._undiscounted(is_maker=is_maker, is_buyer=is_buyer)

    def _undiscounted(self, *, is_maker: bool, is_buyer: bool) -> Decimal:
        special = self.special.of(is_maker=is_maker, is_buyer=is_buyer)
        return special + self.tax.of(is_maker=is_maker, is_buyer=is_buyer)

    def record(self) -> dict[str, Any]:
        """Return JSON-able values that `read_commission` takes back."""
        kinds = {
            kind: {name: str(held) for name, held in asdict(getattr(self, kind)).items()}
            for kind in ("standard", "special", "tax")
        }
        return {**kinds, "has_discount": self.has_discount, "discount": str(self.discount)}


def read_commission(data: Mapping[str, Any], before: Commission) -> Commission:
    """Return `before` with what `data` changes.

    Raises:
        ValueError: on a kind or role that does not exist, or a fraction outside 0 to 1.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"commission takes an object, was {data!r}")
    changed: dict[str, Any] = {}
    for name, held in data.items():
        if name in {"standard", "special", "tax"}:
            changed[name] = _read_rates(name, held, getattr(before, name))
        elif name == "has_discount":
            if not isinstance(held, bool):
                raise ValueError(f"has_discount is true or false, was {held!r}")
            changed[name] = held
        elif name == "discount":
            changed[name] = _fraction(name, held)
        else:
            raise ValueError(f"commission has standard, special, tax, has_discount, not {name!r}")
    present = {one.name: getattr(before, one.name) for one in fields(Commission)}
    return Commission(**{**present, **changed})


def _read_rates(kind: str, data: Any, before: Rates) -> Rates:
    if not isinstance(data, Mapping) or not set(data) <= {one.name for one in fields(Rates)}:
        raise ValueError(f"{kind} takes maker, taker, buyer, seller, was {data!r}")
    present = {one.name: getattr(before, one.name) for one in fields(Rates)}
    return Rates(**present | {name: _fraction(name, held) for name, held in data.items()})


def _fraction(name: str, held: Any) -> Decimal:
    value = read_decimal(name, held)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie between 0 and 1, was {held!r}")
    return value
