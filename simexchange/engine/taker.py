"""Which makers a taker would meet: worked out first, executed after, so that it can be refused."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from simexchange.engine.decimals import ZERO, floor_to
from simexchange.engine.orders import Order

BEHIND_ALL = Decimal("Infinity")


class Leg(NamedTuple):
    """What stands in the taker's way; `maker` is a user's order, None the market's ladder.

    `ahead` is how much of the ladder at its price goes before it.
    """

    price: Decimal
    quantity: Decimal
    maker: Order | None
    ahead: Decimal = ZERO


class Step(NamedTuple):
    """One step of the walk: a trade, or with a `mode` a self-trade that is prevented.

    `quantity` is what the taker trades or, where the mode takes it, what it loses.
    """

    price: Decimal
    quantity: Decimal
    maker: Order | None
    mode: str = ""


class Wish(NamedTuple):
    """What the taker wants: a quantity, or as much as `quote` buys; `limit` zero is any price.

    `mode_against` returns the self-trade prevention mode against a maker, empty when it is not the
    taker's own or may trade.
    """

    side: str
    quantity: Decimal
    quote: Decimal
    limit: Decimal
    step: Decimal
    mode_against: Callable[[Order], str]


@dataclass(slots=True)
class Plan:
    """The walk's outcome."""

    steps: list[Step] = field(default_factory=list)

    @property
    def traded(self) -> Decimal:
        """What the taker gets, in base units."""
        return sum((one.quantity for one in self.steps if not one.mode), ZERO)

    @property
    def used_up(self) -> Decimal:
        """What the taker gets or loses to self-trade prevention, in base units."""
        return sum((one.quantity for one in self.steps), ZERO)

    @property
    def cost(self) -> Decimal:
        """What the taker pays or receives, in quote units."""
        return sum((one.price * one.quantity for one in self.steps if not one.mode), ZERO)


def queue(makers: Iterable[Order]) -> Iterator[Leg]:
    """Yield users' orders as a taker meets them: an iceberg shows slice after slice.

    Each further slice queues behind all that rests at its price.
    """
    hidden: list[tuple[Order, Decimal]] = []
    price: Decimal | None = None
    for order in makers:
        if order.price != price:
            yield from _slices(hidden)
            hidden, price = [], order.price
        visible = order.visible
        yield Leg(order.price, visible, order, order.queue_ahead)
        if order.iceberg_quantity and order.remaining > visible:
            hidden.append((order, order.remaining - visible))
    yield from _slices(hidden)


def _slices(hidden: list[tuple[Order, Decimal]]) -> Iterator[Leg]:
    while hidden:
        behind = []
        for order, left in hidden:
            quantity = min(order.iceberg_quantity, left)
            yield Leg(order.price, quantity, order, BEHIND_ALL)
            if left > quantity:
                behind.append((order, left - quantity))
        hidden = behind


def merge(
    side: str, ladder: Iterable[tuple[Decimal, Decimal]], makers: Iterable[Order]
) -> Iterator[Leg]:
    """Yield the ladder's levels and the users' orders in one order of price and time.

    At one price a user's order waits behind as much of the ladder as was there when it came.
    """
    sign = 1 if side == "BUY" else -1
    users = queue(makers)
    user = next(users, None)
    for price, quantity in ladder:
        while user is not None and user.price * sign < price * sign:
            yield user
            user = next(users, None)
        passed = ZERO
        while user is not None and user.price == price:
            ahead = min(user.ahead, quantity) - passed
            if ahead > 0:
                yield Leg(price, ahead, None)
                passed += ahead
            yield user
            user = next(users, None)
        if quantity > passed:
            yield Leg(price, quantity - passed, None)
    while user is not None:
        yield user
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
    expired: set[int] = set()
    for leg in merge(wish.side, ladder, makers):
        if is_beyond(leg.price, wish):
            break
        mode = wish.mode_against(leg.maker) if leg.maker is not None else ""
        wanted = floor_to(quote_left / leg.price, wish.step) if wish.quote else left
        if mode == "EXPIRE_MAKER":
            _expire_maker(plan, leg, expired)
            continue
        if mode in {"EXPIRE_TAKER", "EXPIRE_BOTH"}:
            plan.steps.append(Step(leg.price, wanted, leg.maker, mode))
            break
        taken = min(leg.quantity, wanted)
        if taken > 0:
            plan.steps.append(Step(leg.price, taken, leg.maker, mode))
            left -= taken
            quote_left -= taken * leg.price
        if taken < leg.quantity or (not wish.quote and left <= 0):
            break
    return plan


def _expire_maker(plan: Plan, leg: Leg, expired: set[int]) -> None:
    """Let the whole maker expire once, however many slices of it the walk meets."""
    if leg.maker is not None and leg.maker.order_id not in expired:
        expired.add(leg.maker.order_id)
        plan.steps.append(Step(leg.price, ZERO, leg.maker, "EXPIRE_MAKER"))
