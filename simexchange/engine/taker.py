"""Which makers a taker would meet: worked out first, executed after, so that it can be refused."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from simexchange.engine.decimals import ZERO, floor_to
from simexchange.engine.orders import Order


class Leg(NamedTuple):
    """One step of the walk; `maker` is a user's order, None stands for the market's ladder."""

    price: Decimal
    quantity: Decimal
    maker: Order | None


class Wish(NamedTuple):
    """What the taker wants: a quantity, or as much as `quote` buys; `limit` zero is any price."""

    account: str
    side: str
    quantity: Decimal
    quote: Decimal
    limit: Decimal
    step: Decimal
    stp_mode: str


@dataclass(slots=True)
class Plan:
    """The walk's outcome. `prevented` are own makers that expire, `stopped` ends the taker."""

    legs: list[Leg] = field(default_factory=list)
    prevented: list[Order] = field(default_factory=list)
    stopped: bool = False

    @property
    def quantity(self) -> Decimal:
        return sum((leg.quantity for leg in self.legs), ZERO)

    @property
    def cost(self) -> Decimal:
        return sum((leg.price * leg.quantity for leg in self.legs), ZERO)


def merge(
    side: str, ladder: Iterable[tuple[Decimal, Decimal]], makers: Iterable[Order]
) -> Iterator[Leg]:
    """Yield the ladder's levels and the users' orders in one order; the market goes first on a tie.

    The ladder was there before the users' orders: its depth at their price is their queue.
    """
    sign = 1 if side == "BUY" else -1
    users = iter(makers)
    user = next(users, None)
    for price, quantity in ladder:
        while user is not None and user.price * sign < price * sign:
            yield Leg(user.price, user.remaining, user)
            user = next(users, None)
        yield Leg(price, quantity, None)
    while user is not None:
        yield Leg(user.price, user.remaining, user)
        user = next(users, None)


def is_beyond(price: Decimal, wish: Wish) -> bool:
    """Tell whether the price is worse than the wish allows."""
    if not wish.limit:
        return False
    return price > wish.limit if wish.side == "BUY" else price < wish.limit


def plan_walk(
    wish: Wish, ladder: Iterable[tuple[Decimal, Decimal]], makers: Iterable[Order]
) -> Plan:
    """Walk the makers best first until the wish is met, its limit reached or the book is empty."""
    plan = Plan()
    left, quote_left = wish.quantity, wish.quote
    for leg in merge(wish.side, ladder, makers):
        if is_beyond(leg.price, wish):
            break
        if leg.maker is not None and leg.maker.account == wish.account:
            if _prevent(plan, leg.maker, wish.stp_mode):
                break
            if wish.stp_mode != "NONE":
                continue
        afford = floor_to(quote_left / leg.price, wish.step) if wish.quote else left
        taken = min(leg.quantity, afford)
        if taken > 0:
            plan.legs.append(Leg(leg.price, taken, leg.maker))
            left -= taken
            quote_left -= taken * leg.price
        if taken < leg.quantity or (not wish.quote and left <= 0):
            break
    return plan


def _prevent(plan: Plan, maker: Order, mode: str) -> bool:
    """Apply self-trade prevention; True when the taker must stop."""
    if mode in {"EXPIRE_MAKER", "EXPIRE_BOTH"}:
        plan.prevented.append(maker)
    if mode in {"EXPIRE_TAKER", "EXPIRE_BOTH"}:
        plan.stopped = True
    return plan.stopped
