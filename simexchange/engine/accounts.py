"""Balances: exact, never negative, free and locked."""

from dataclasses import dataclass, field
from decimal import Decimal

from simexchange.engine.decimals import ZERO
from simexchange.errors import ApiError

INSUFFICIENT = "Account has insufficient balance for requested action."


@dataclass(slots=True)
class Balance:
    """What an account has of one asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True, eq=False)
class Account:
    """One trading account with its one API key."""

    account_id: str
    key: str
    secret: str
    maker_fee: Decimal
    taker_fee: Decimal
    balances: dict[str, Balance] = field(default_factory=dict)
    updated_ms: int = 0
    public_key: str = ""

    def balance(self, asset: str) -> Balance:
        """Return the asset's balance, made at zero when there is none yet."""
        held = self.balances.get(asset)
        if held is None:
            held = self.balances[asset] = Balance()
        return held

    def lock(self, asset: str, quantity: Decimal) -> None:
        """Move `quantity` from free to locked.

        Raises:
            ApiError: -2010 when it is not there.
        """
        held = self.balance(asset)
        if held.free < quantity:
            raise ApiError(-2010, INSUFFICIENT)
        held.free -= quantity
        held.locked += quantity

    def release(self, asset: str, quantity: Decimal) -> None:
        """Move `quantity` back from locked to free."""
        held = self.balance(asset)
        held.locked -= quantity
        held.free += quantity

    def spend(self, asset: str, unlock: Decimal, cost: Decimal) -> None:
        """Give `unlock` of the lock back and pay `cost` out of what is free then.

        Raises:
            ApiError: -2010 when free and lock together do not cover the cost.
        """
        held = self.balance(asset)
        if held.free + unlock < cost:
            raise ApiError(-2010, INSUFFICIENT)
        held.locked -= unlock
        held.free += unlock - cost

    def credit(self, asset: str, quantity: Decimal) -> None:
        """Add to the free balance; a negative quantity takes away.

        Raises:
            ValueError: when the balance would fall below zero.
        """
        held = self.balance(asset)
        if held.free + quantity < 0:
            raise ValueError(f"{asset} has {held.free} free, cannot take {-quantity}")
        held.free += quantity
