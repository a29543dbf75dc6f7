"""Accounts: their keys, and balances that are exact, never negative, free and locked."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from simexchange.engine.commission import Commission
from simexchange.engine.decimals import ZERO
from simexchange.errors import ApiError

INSUFFICIENT = "Account has insufficient balance for requested action."


@dataclass(slots=True)
class Balance:
    """What an account has of one asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


@dataclass(slots=True, eq=False)
class Credential:
    """One API key: its HMAC secret, or the PEM of its RSA or Ed25519 public key."""

    key: str
    secret: str = ""
    public_key: str = ""
    can_trade: bool = True


@dataclass(slots=True, eq=False)
class Account:
    """One trading account with its API keys.

    Accounts of one `trade_group` count as one for self-trade prevention; -1 is none.
    """

    account_id: str
    commission: Commission
    credentials: dict[str, Credential] = field(default_factory=dict)
    balances: dict[str, Balance] = field(default_factory=dict)
    updated_ms: int = 0
    can_trade: bool = True
    trade_group: int = -1

    @classmethod
    def open(
        cls, account_id: str, commission: Commission, credentials: Iterable[Credential]
    ) -> "Account":
        """Return an empty account with these keys."""
        return cls(account_id, commission, {one.key: one for one in credentials})

    @property
    def first_key(self) -> Credential:
        return next(iter(self.credentials.values()))

    def is_same_trader(self, other: "Account") -> bool:
        """Tell whether a trade between the two would be a trade with oneself."""
        return self is other or (self.trade_group >= 0 and self.trade_group == other.trade_group)

    def balance(self, asset: str) -> Balance:
        """Return the asset's balance, made at zero when there is none yet."""
        held = self.balances.get(asset)
        if held is None:
            held = self.balances[asset] = Balance()
        return held

    def require(self, asset: str, quantity: Decimal) -> None:
        """Refuse when less than `quantity` is free.

        Raises:
            ApiError: -2010.
        """
        if self.balance(asset).free < quantity:
            raise ApiError(-2010, INSUFFICIENT)

    def lock(self, asset: str, quantity: Decimal) -> None:
        """Move `quantity` from free to locked.

        Raises:
            ApiError: -2010 when it is not there.
        """
        self.require(asset, quantity)
        held = self.balance(asset)
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
        free = self.balances[asset].free if asset in self.balances else ZERO
        if free + quantity < 0:
            raise ValueError(f"{asset} has {free} free, cannot take {-quantity}")
        self.balance(asset).free += quantity
