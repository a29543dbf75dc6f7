"""The one tree of errors. Specific ones live beside their raiser and derive from these."""

from typing import Any


class TradingError(Exception):
    """Base of every error of this system.

    Attributes:
        code: Stable upper-case name, the same in the API, in logs and in alerts.
        context: What a reader needs to understand it: field, value, limit, fix.
    """

    code = "TRADING_ERROR"

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.context = context


class InvalidInput(TradingError):
    """What the caller sent cannot be used; ``context`` names the field and the value."""

    code = "INVALID_INPUT"


class NotFound(TradingError):
    """The named thing does not exist."""

    code = "NOT_FOUND"


class Conflict(TradingError):
    """The thing exists already, or somebody else changed it first."""

    code = "CONFLICT"


class NeedsOperator(TradingError):
    """A person must act before the system can go on: a missing key, a wrong setting."""

    code = "NEEDS_OPERATOR"


class Denied(TradingError):
    """The risk gate or the trading state refused."""

    code = "DENIED"


class ExchangeError(TradingError):
    """The exchange said no, or said nothing."""

    code = "EXCHANGE_ERROR"


class TemporaryExchangeError(ExchangeError):
    """The exchange could not answer now; a *read* may be tried again."""

    code = "EXCHANGE_TEMPORARY"


class OrderRejected(ExchangeError):
    """The exchange refused the order for certain: it does not exist there."""

    code = "ORDER_REJECTED"


class OutcomeUnknown(ExchangeError):
    """The order may or may not exist at the exchange. Ask, never send again."""

    code = "OUTCOME_UNKNOWN"
