"""The life of an order: its words, its states and the one table of moves between them."""

from enum import StrEnum

from core.errors import TradingError
from risk.domain.order_forms import FORMS, OrderForm

# In the context of somebody else's order that a person attached: who, why, and after which fill.
ATTACHED = "attached"
# In the context of an entry: the stop and the target that a person gave it.
BRACKET = "bracket"


class Side(StrEnum):
    """Which way the base asset moves."""

    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    """Order types as Binance Spot names them."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"
    OCO = "OCO"

    @property
    def form(self) -> OrderForm:
        """The type's row in the table of all types."""
        return FORMS[self.value]

    @property
    def is_list(self) -> bool:
        """Whether it stands for several orders at the exchange."""
        return bool(self.form.legs)


class TimeInForce(StrEnum):
    """How long an order rests."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


LIST_TYPES = frozenset(kind for kind in OrderType if kind.is_list)


class Leg(StrEnum):
    """What the order is for within its decision; part of its idempotency key."""

    ENTRY = "ENTRY"
    EXIT = "EXIT"
    PROTECT = "PROTECT"
    TAKE_PROFIT = "TAKE_PROFIT"
    STOP_LOSS = "STOP_LOSS"
    MANUAL = "MANUAL"
    EXTERNAL = "EXTERNAL"  # somebody else's, found at the exchange


class OrderState(StrEnum):
    """Where an order is. The first three are known only here, the rest speak of the exchange."""

    APPROVED = "APPROVED"
    DENIED = "DENIED"
    LAPSED = "LAPSED"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    QUARANTINED = "QUARANTINED"
    NOT_ACCEPTED = "NOT_ACCEPTED"
    REJECTED = "REJECTED"
    PENDING_NEW = "PENDING_NEW"  # a list's leg that waits for the list's working order to fill
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more is expected of the order."""
        return self in FINAL_STATES


class OrderEvent(StrEnum):
    """What can happen to an order."""

    CLAIM = "CLAIM"
    LAPSE = "LAPSE"
    REJECT = "REJECT"
    LOSE_TRACK = "LOSE_TRACK"
    PROVE_ABSENT = "PROVE_ABSENT"
    GIVE_UP = "GIVE_UP"
    WAIT = "WAIT"
    ACCEPT = "ACCEPT"
    FILL_PART = "FILL_PART"
    FILL = "FILL"
    CANCEL = "CANCEL"
    EXPIRE = "EXPIRE"


class IllegalTransition(TradingError):
    """The table has no such move; the caller has lost track of what happened."""

    code = "ILLEGAL_TRANSITION"

    def __init__(self, order_id: int, state: OrderState, event: OrderEvent) -> None:
        super().__init__(
            f"order {order_id} cannot {event} while {state}",
            order_id=order_id,
            state=state,
            event=event,
        )


_S, _E = OrderState, OrderEvent
# What the exchange can tell of an order that it holds, whatever we believed before.
_VENUE_MOVES = {
    _E.WAIT: _S.PENDING_NEW,
    _E.ACCEPT: _S.NEW,
    _E.FILL_PART: _S.PARTIALLY_FILLED,
    _E.FILL: _S.FILLED,
    _E.CANCEL: _S.CANCELED,
    _E.EXPIRE: _S.EXPIRED,
}

TRANSITIONS: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (_S.APPROVED, _E.CLAIM): _S.SENDING,
    (_S.APPROVED, _E.LAPSE): _S.LAPSED,
    # Written ahead but stopped by its own sender before the first byte: a kill came in between.
    (_S.SENDING, _E.LAPSE): _S.LAPSED,
    (_S.SENDING, _E.REJECT): _S.REJECTED,
    (_S.SENDING, _E.LOSE_TRACK): _S.UNKNOWN,
    (_S.UNKNOWN, _E.LOSE_TRACK): _S.UNKNOWN,
    (_S.UNKNOWN, _E.REJECT): _S.REJECTED,
    (_S.UNKNOWN, _E.PROVE_ABSENT): _S.NOT_ACCEPTED,
    (_S.UNKNOWN, _E.GIVE_UP): _S.QUARANTINED,
    (_S.QUARANTINED, _E.PROVE_ABSENT): _S.NOT_ACCEPTED,
    (_S.QUARANTINED, _E.LOSE_TRACK): _S.QUARANTINED,
    # An order may be seen at the exchange before our reply arrives, or long after it was lost.
    # Even after a refusal or a proof of absence the exchange's word wins: no trade of ours is
    # ever dropped, and whoever books such a move raises an incident.
    **{
        (state, event): after
        for state in (
            _S.SENDING,
            _S.UNKNOWN,
            _S.QUARANTINED,
            _S.PENDING_NEW,
            _S.NEW,
            _S.NOT_ACCEPTED,
            _S.REJECTED,
        )
        for event, after in _VENUE_MOVES.items()
    },
    # The exchange may take an order and refuse it later (a list's leg on activation).
    (_S.PENDING_NEW, _E.REJECT): _S.REJECTED,
    (_S.NEW, _E.REJECT): _S.REJECTED,
    (_S.REJECTED, _E.REJECT): _S.REJECTED,
    # Late news of an earlier state changes nothing.
    (_S.NEW, _E.WAIT): _S.NEW,
    (_S.PARTIALLY_FILLED, _E.WAIT): _S.PARTIALLY_FILLED,
    (_S.PARTIALLY_FILLED, _E.ACCEPT): _S.PARTIALLY_FILLED,
    **{
        (_S.PARTIALLY_FILLED, event): after
        for event, after in _VENUE_MOVES.items()
        if event not in (_E.WAIT, _E.ACCEPT)
    },
    **{
        (state, event): state
        for state in (_S.FILLED, _S.CANCELED, _S.EXPIRED)
        for event in (_E.WAIT, _E.ACCEPT, _E.FILL_PART)
    },
    (_S.FILLED, _E.FILL): _S.FILLED,
    # A fill that raced the cancel wins: the exchange's final word is FILLED.
    (_S.CANCELED, _E.FILL): _S.FILLED,
    (_S.CANCELED, _E.CANCEL): _S.CANCELED,
    (_S.EXPIRED, _E.FILL): _S.FILLED,
    (_S.EXPIRED, _E.EXPIRE): _S.EXPIRED,
}

# Not yet at rest: exposure of these counts as if they filled whole.
LIVE_STATES = frozenset(
    {
        *(_S.APPROVED, _S.SENDING, _S.UNKNOWN, _S.QUARANTINED),
        *(_S.PENDING_NEW, _S.NEW, _S.PARTIALLY_FILLED),
    }
)
UNRESOLVED_STATES = frozenset({_S.SENDING, _S.UNKNOWN})
RESTING_STATES = frozenset({_S.NEW, _S.PARTIALLY_FILLED})
FINAL_STATES = frozenset(_S) - LIVE_STATES


def next_state(order_id: int, state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state after `event`.

    Raises:
        IllegalTransition: The table has no such move.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(order_id, state, event) from None
