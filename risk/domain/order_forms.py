"""Order types: what each needs, what it may cost, and how the exchange counts it.

The one table behind the REST form, the admin's form, the gate, the reservation and the wire. Words
are Binance's. A trailing stop is a stop with a trailing delta instead of, or beside, a stop price.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

BPS = Decimal(10_000)
TIMES_IN_FORCE = frozenset({"GTC", "IOC", "FOK"})
# The parameters that types differ in; symbol, side and quantity belong to all of them.
PARAMETERS = (
    *("price", "stop_price", "stop_limit_price", "trailing_delta_bps", "time_in_force"),
    *("stop_loss_price", "take_profit_price"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderForm:
    """One row of the table.

    Attributes:
        required: Parameters that it cannot be without.
        one_of: At least one of these.
        optional: Parameters that it may have besides.
        trigger: 1: it comes to life at a stop price on the losing side (above the market for a
            buy, below for a sale); -1: on the other side; 0: at once.
        is_resting: It may stay at the exchange, unless its time in force says otherwise.
        orders: How many open orders the exchange counts.
        algo_orders: How many of those have a stop.
        legs: The types of an order list's legs; empty for a single order.
    """

    required: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    trigger: int = 0
    is_resting: bool = True
    orders: int = 1
    algo_orders: int = 0
    legs: tuple[str, ...] = ()

    @property
    def is_stop(self) -> bool:
        """Whether it, or one of its legs, limits a loss."""
        return self.trigger > 0

    @property
    def allowed(self) -> frozenset[str]:
        """Every parameter that it may have."""
        return self.required | self.one_of | self.optional


def _set(*names: str) -> frozenset[str]:
    return frozenset(names)


_STOP = _set("stop_price", "trailing_delta_bps")
# A resting entry may bring the prices of its protection: both of them or neither.
_BRACKET = _set("stop_loss_price", "take_profit_price")

FORMS: Mapping[str, OrderForm] = {
    "MARKET": OrderForm(is_resting=False),
    "LIMIT": OrderForm(required=_set("price", "time_in_force"), optional=_BRACKET),
    "LIMIT_MAKER": OrderForm(required=_set("price"), optional=_BRACKET),
    "STOP_LOSS": OrderForm(one_of=_STOP, trigger=1, algo_orders=1),
    "STOP_LOSS_LIMIT": OrderForm(
        required=_set("price", "time_in_force"), one_of=_STOP, trigger=1, algo_orders=1
    ),
    "TAKE_PROFIT": OrderForm(required=_set("stop_price"), trigger=-1, algo_orders=1),
    "TAKE_PROFIT_LIMIT": OrderForm(
        required=_set("price", "stop_price", "time_in_force"), trigger=-1, algo_orders=1
    ),
    # `price` is the limit leg's, the stop leg is a market stop unless it has a limit price too.
    "OCO": OrderForm(
        required=_set("price"),
        one_of=_STOP,
        optional=_set("stop_limit_price"),
        trigger=1,
        orders=2,
        algo_orders=1,
        legs=("TAKE_PROFIT", "STOP_LOSS"),
    ),
}


def find_wrong_parameter(kind: str, given: Iterable[str]) -> tuple[str, str] | None:
    """Return the first parameter that is missing or too many, and how to mend it.

    Args:
        kind: A type of the table.
        given: Names of the parameters that have a value.
    """
    form, names = FORMS[kind], set(given)
    for name in PARAMETERS:
        if name in names and name not in form.allowed:
            return name, f"{kind} takes no {name}: leave it out"
        if name in form.required and name not in names:
            return name, f"{kind} needs {name}"
    if _BRACKET & names and not names >= _BRACKET:
        lacking = min(_BRACKET - names)
        return lacking, f"a stop and a target come together: give {lacking} too"
    if form.one_of and not form.one_of & names:
        wanted = sorted(form.one_of)
        return wanted[0], f"{kind} needs {' or '.join(wanted)}"
    return None


def worst_price(
    *,
    reference: Decimal | None,
    price: Decimal | None = None,
    stop_price: Decimal | None = None,
    stop_limit_price: Decimal | None = None,
    trailing_delta_bps: int | None = None,
) -> Decimal | None:
    """Return the most that a base unit may cost: the dearest of all prices that it may fill at.

    A limit bounds what it costs; a market stop costs its trigger, a trailing one the reference and
    its delta on top (the lowest price since its start is at most the reference).
    """
    prices = [item for item in (reference, price, stop_price, stop_limit_price) if item is not None]
    if trailing_delta_bps is not None and reference is not None:
        prices.append(reference * (1 + trailing_delta_bps / BPS))
    return max(prices) if prices else None
