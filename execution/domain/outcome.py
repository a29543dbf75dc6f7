"""What a reply to a submit means. A timeout is not a failure: it is not knowing."""

from enum import StrEnum


class Outcome(StrEnum):
    """Classes of outcome of a request that may change something at the exchange."""

    SENDING = "SENDING"  # written ahead, nothing known yet
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"  # for certain: it does not exist there
    DUPLICATE = "DUPLICATE"  # one with our id is open there: ask, adopt
    NOT_SENT = "NOT_SENT"  # no byte left this machine, proved
    UNKNOWN = "UNKNOWN"
    NOT_ACCEPTED = "NOT_ACCEPTED"  # proved absent after its fence


class Reaction(StrEnum):
    """What else a reply asks for, beside the order's own outcome."""

    BACK_OFF = "BACK_OFF"
    RESYNC_CLOCK = "RESYNC_CLOCK"
    HALT = "HALT"
    REFRESH_RULES = "REFRESH_RULES"


# Codes whose reply says that execution status is unknown, whatever the HTTP status.
UNKNOWN_CODES = frozenset({-1000, -1001, -1006, -1007, -1008, -1016})
# Refusals before the matching engine saw the order; -1100 to -1199 are parameter errors.
_REFUSED_CODES = frozenset({-1002, -1003, -1013, -1014, -1015, -1020, -1021, -1022, -1220})
_PARAMETER_CODES = range(-1199, -1099)
# Refusals by the engine, or of the key.
_ENGINE_CODES = frozenset({-2010, -2011, -2013, -2014, -2015, -2018, -2021, -2022, -2026, -2038})
_REFUSED_STATUSES = frozenset({401, 403, 418, 429})

REACTIONS: dict[int, Reaction] = {
    -1003: Reaction.BACK_OFF,
    -1015: Reaction.BACK_OFF,
    -1013: Reaction.REFRESH_RULES,
    -1021: Reaction.RESYNC_CLOCK,
    -2014: Reaction.HALT,
    -2015: Reaction.HALT,
}


def classify_refusal(*, http_status: int, code: int, message: str) -> Outcome:
    """Return what a reply other than 2xx means for the order.

    Anything the documents do not name a refusal is UNKNOWN: the order may exist.

    Args:
        http_status: Of the reply.
        code: Binance's error code; 0 when the body had none.
        message: Binance's text.
    """
    if http_status >= 500 or code in UNKNOWN_CODES:
        return Outcome.UNKNOWN
    if code == -2010 and "duplicate" in message.lower():
        return Outcome.DUPLICATE
    if http_status in _REFUSED_STATUSES:
        return Outcome.REJECTED
    if code in _REFUSED_CODES or code in _PARAMETER_CODES or code in _ENGINE_CODES:
        return Outcome.REJECTED
    return Outcome.UNKNOWN


def reaction_to(*, http_status: int, code: int) -> Reaction | None:
    """Return what the reply asks for besides; None for nothing."""
    if http_status in (403, 418, 429):
        return Reaction.BACK_OFF
    return REACTIONS.get(code)
