"""The life of one delivery: an alert on its way to one channel."""

from datetime import timedelta
from enum import StrEnum


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    SENT = "SENT"
    FAILED = "FAILED"
    SUPPRESSED = "SUPPRESSED"
    # The sender died with the request under way: it may have arrived.
    UNKNOWN = "UNKNOWN"


class DeliveryEvent(StrEnum):
    """What can happen to a delivery."""

    CLAIM = "CLAIM"
    SUCCEED = "SUCCEED"
    RETRY = "RETRY"
    GIVE_UP = "GIVE_UP"
    SUPPRESS = "SUPPRESS"
    LOSE_TRACK = "LOSE_TRACK"


S, E = DeliveryState, DeliveryEvent
TRANSITIONS: dict[tuple[DeliveryState, DeliveryEvent], DeliveryState] = {
    (S.PENDING, E.CLAIM): S.SENDING,
    (S.PENDING, E.SUPPRESS): S.SUPPRESSED,
    # An alert too old to matter, or a channel switched off meanwhile.
    (S.PENDING, E.GIVE_UP): S.FAILED,
    (S.SENDING, E.SUCCEED): S.SENT,
    (S.SENDING, E.RETRY): S.PENDING,
    (S.SENDING, E.GIVE_UP): S.FAILED,
    # Each delivery goes out at most once, so a lost one is not sent again.
    (S.SENDING, E.LOSE_TRACK): S.UNKNOWN,
}
FINAL = frozenset({S.SENT, S.FAILED, S.SUPPRESSED, S.UNKNOWN})
MAX_ATTEMPTS = 5
_FIRST_WAIT = timedelta(seconds=15)
_LONGEST_WAIT = timedelta(minutes=10)


class IllegalTransition(ValueError):
    """The state has no such move."""


def advance(state: DeliveryState, event: DeliveryEvent) -> DeliveryState:
    """Return the state after `event`; raise ``IllegalTransition`` when there is no such move."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"no {event} from {state}") from None


def wait_after(attempts: int) -> timedelta:
    """Return how long to wait after the given number of failed attempts: doubling, capped."""
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, was {attempts}")
    doublings = min(attempts - 1, 20)
    return min(_FIRST_WAIT * (1 << doublings), _LONGEST_WAIT)
