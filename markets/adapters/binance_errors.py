"""What went wrong at the exchange, in our own terms.

A read that got no answer may be tried again; a write that got none may have happened. The tables
follow the outcome classes of a submit: 5XX and the codes of `_UNDECIDED` leave a write unknown,
everything else that carries a code refuses it for certain.
"""

from dataclasses import dataclass
from typing import Any

from binance.exceptions import (
    BinanceAPIException,
    BinanceRequestException,
    BinanceWebsocketClosed,
    BinanceWebsocketQueueOverflow,
    BinanceWebsocketUnableToConnect,
    ReadLoopClosed,
)
from requests import exceptions as http
from urllib3.exceptions import NewConnectionError
from websockets.exceptions import WebSocketException

from core.errors import (
    ExchangeError,
    NeedsOperator,
    OrderRejected,
    OutcomeUnknown,
    TemporaryExchangeError,
    TradingError,
)


class ApiKeyInvalid(NeedsOperator):
    """The exchange does not accept the key for what was asked."""

    code = "API_KEY_INVALID"


class ClockRejected(TemporaryExchangeError):
    """The exchange found the time stamp of a signed request outside its window."""

    code = "EXCHANGE_CLOCK"


class RateLimited(TemporaryExchangeError):
    """The exchange asks us to slow down; ``context['retry_after_s']`` says for how long."""

    code = "EXCHANGE_RATE_LIMIT"


class StreamLost(TemporaryExchangeError):
    """A market or user stream ended or went silent."""

    code = "WEBSOCKET_DISCONNECTED"


@dataclass(frozen=True, slots=True)
class _Cause:
    read: type[TradingError]
    write: type[TradingError]
    text: str
    fix: str = ""


_SLOW_DOWN = "wait for the time given; fewer symbols or requests help"
_CHECK_KEY = "check the key, its IP list and its permissions at the exchange, then `check_env`"
_CHECK_CLOCK = "synchronise this machine's clock (NTP)"

_KEY_UNKNOWN = _Cause(
    ApiKeyInvalid,
    ApiKeyInvalid,
    "API key invalid: the exchange does not know it, or refuses its IP address or permission. "
    "Keys of the testnet do not work on the real exchange, nor the other way round",
    _CHECK_KEY,
)
_KEY_FORM = _Cause(
    ApiKeyInvalid, ApiKeyInvalid, "API key invalid: its form is wrong", "copy the key again"
)
_SIGNATURE = _Cause(
    ApiKeyInvalid,
    ApiKeyInvalid,
    "API key invalid: the signature does not match, so the secret belongs to another key",
    "set key and secret of the same pair",
)
_CLOCK = _Cause(ClockRejected, OrderRejected, "The clock differs from the exchange's", _CHECK_CLOCK)
_BUSY = _Cause(RateLimited, OrderRejected, "The exchange asks to slow down", _SLOW_DOWN)
_BANNED = _Cause(RateLimited, OrderRejected, "The exchange has banned this address", _SLOW_DOWN)
_FIREWALL = _Cause(
    RateLimited,
    OrderRejected,
    "The exchange's firewall refused the request",
    "check that the exchange may be used from this country and address",
)
_UNDECIDED = _Cause(TemporaryExchangeError, OutcomeUnknown, "The exchange could not answer")
_SILENT = _Cause(TemporaryExchangeError, OutcomeUnknown, "No usable reply from the exchange")
_DUPLICATE = _Cause(ExchangeError, OutcomeUnknown, "An order with this client id is open")
_REFUSED = _Cause(ExchangeError, OrderRejected, "The exchange refused the request")
_NOT_SENT = _Cause(
    TemporaryExchangeError,
    TemporaryExchangeError,
    "The exchange cannot be reached; nothing was sent",
    "check the network and SIM_URL; in demo mode the local exchange must run",
)
_STREAM = _Cause(
    StreamLost, StreamLost, "WebSocket disconnected", "none needed: it reconnects by itself"
)

BY_CODE: dict[int, _Cause] = {
    -1000: _UNDECIDED,
    -1001: _UNDECIDED,
    -1002: _KEY_UNKNOWN,
    -1003: _BUSY,
    -1006: _UNDECIDED,
    -1007: _UNDECIDED,
    -1008: _UNDECIDED,
    -1015: _BUSY,
    -1016: _UNDECIDED,
    -1021: _CLOCK,
    -1022: _SIGNATURE,
    -2008: _KEY_UNKNOWN,
    -2014: _KEY_FORM,
    -2015: _KEY_UNKNOWN,
}
BY_STATUS: dict[int, _Cause] = {
    401: _KEY_UNKNOWN,
    403: _FIREWALL,
    418: _BANNED,
    429: _BUSY,
}
_STREAM_ERRORS = (
    BinanceWebsocketClosed,
    BinanceWebsocketQueueOverflow,
    BinanceWebsocketUnableToConnect,
    ReadLoopClosed,
    WebSocketException,
)
_REQUEST_ERRORS = (BinanceRequestException, http.RequestException, OSError, ValueError)


def classify(error: BaseException, *, is_write: bool = False) -> TradingError:
    """Return the project's error for anything that a call to the exchange can raise.

    Args:
        error: What was raised.
        is_write: The request could change something at the exchange; then an answer that did
            not come is OutcomeUnknown instead of temporary.
    """
    if isinstance(error, TradingError):
        return error
    context: dict[str, Any] = {"error": type(error).__name__}
    if isinstance(error, BinanceAPIException):
        cause = _cause_of_reply(error)
        context |= _reply_context(error)
        detail = f"HTTP {error.status_code}, code {error.code}: {_text(error.message)}"
    else:
        cause = _cause_of_failure(error)
        detail = f"{type(error).__name__}: {_text(error)}"
    kind = cause.write if is_write else cause.read
    fix = f". Fix: {cause.fix}" if cause.fix else ""
    if cause.fix:
        context["fix"] = cause.fix
    return kind(f"{cause.text} ({detail}){fix}", **context)


def _cause_of_reply(error: BinanceAPIException) -> _Cause:
    code = error.code if isinstance(error.code, int) else 0
    if error.status_code >= 500:
        return _UNDECIDED
    if error.status_code in (418, 429):
        return BY_STATUS[error.status_code]
    if code in BY_CODE:
        return BY_CODE[code]
    if code == -2010 and "duplicate" in str(error.message).lower():
        return _DUPLICATE
    if error.status_code in BY_STATUS:
        return BY_STATUS[error.status_code]
    # A reply without a code is no reply of the exchange: a proxy's page, a redirect.
    return _REFUSED if code else _SILENT


def _cause_of_failure(error: BaseException) -> _Cause:
    if isinstance(error, _STREAM_ERRORS):
        return _STREAM
    if isinstance(error, http.ConnectTimeout) or _never_connected(error):
        return _NOT_SENT
    if isinstance(error, _REQUEST_ERRORS):
        return _SILENT
    return _Cause(ExchangeError, OutcomeUnknown, "The call to the exchange failed")


def _never_connected(error: BaseException) -> bool:
    """Whether the socket layer proves that no connection came about."""
    if not isinstance(error, http.ConnectionError):
        return False
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError) or isinstance(error, http.SSLError)


def _reply_context(error: BinanceAPIException) -> dict[str, Any]:
    headers = getattr(error.response, "headers", None) or {}
    context: dict[str, Any] = {"http_status": error.status_code, "venue_code": error.code}
    wait = str(headers.get("Retry-After", ""))
    if wait.isascii() and wait.isdigit():
        context["retry_after_s"] = int(wait)
    return context


def _text(message: object) -> str:
    """Return a venue's text short and on one line; it is shown to people."""
    return " ".join(str(message).split())[:200]
