import json
from typing import Any

import pytest
import requests
from binance.exceptions import BinanceAPIException, BinanceRequestException, ReadLoopClosed
from requests import exceptions as http
from urllib3.exceptions import MaxRetryError, NewConnectionError

from core.errors import (
    ExchangeError,
    InvalidInput,
    OrderRejected,
    OutcomeUnknown,
    TemporaryExchangeError,
    TradingError,
)
from markets.adapters.binance_errors import (
    ApiKeyInvalid,
    ClockRejected,
    RateLimited,
    StreamLost,
    classify,
)


def refusal(
    status: int, code: int | None, message: str = "text", **headers: str
) -> BinanceAPIException:
    response = requests.Response()
    response.status_code = status
    response.headers.update({name.replace("_", "-"): text for name, text in headers.items()})
    body = "<html>" if code is None else json.dumps({"code": code, "msg": message})
    response._content = body.encode()
    return BinanceAPIException(response, status, body)


REPLIES: list[tuple[int, int | None, type[TradingError], type[TradingError]]] = [
    # status, code, as a read, as a write
    (400, -1013, ExchangeError, OrderRejected),
    (400, -1100, ExchangeError, OrderRejected),
    (400, -1121, ExchangeError, OrderRejected),
    (400, -1014, ExchangeError, OrderRejected),
    (400, -2010, ExchangeError, OrderRejected),
    (400, -2011, ExchangeError, OrderRejected),
    (400, -1021, ClockRejected, OrderRejected),
    (400, -1022, ApiKeyInvalid, ApiKeyInvalid),
    (400, -2014, ApiKeyInvalid, ApiKeyInvalid),
    (400, -2015, ApiKeyInvalid, ApiKeyInvalid),
    (401, -2015, ApiKeyInvalid, ApiKeyInvalid),
    (401, None, ApiKeyInvalid, ApiKeyInvalid),
    (403, None, RateLimited, OrderRejected),
    (429, -1015, RateLimited, OrderRejected),
    (429, -1003, RateLimited, OrderRejected),
    (418, -1003, RateLimited, OrderRejected),
    (400, -1003, RateLimited, OrderRejected),
    (400, -1015, RateLimited, OrderRejected),
    (500, -1000, TemporaryExchangeError, OutcomeUnknown),
    (502, None, TemporaryExchangeError, OutcomeUnknown),
    (503, -1013, TemporaryExchangeError, OutcomeUnknown),
    (504, -1007, TemporaryExchangeError, OutcomeUnknown),
    *[
        (400, code, TemporaryExchangeError, OutcomeUnknown)
        for code in (-1000, -1001, -1006, -1007, -1008, -1016)
    ],
    (302, None, TemporaryExchangeError, OutcomeUnknown),
    (400, None, TemporaryExchangeError, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "code", "as_read", "as_write"), REPLIES)
def test_it_classifies_every_reply(
    status: int, code: int | None, as_read: type[TradingError], as_write: type[TradingError]
) -> None:
    error = refusal(status, code)

    assert type(classify(error)) is as_read
    assert type(classify(error, is_write=True)) is as_write


def never_connected() -> http.ConnectionError:
    reason = NewConnectionError(None, "refused")  # type: ignore[arg-type]
    return http.ConnectionError(MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


FAILURES: list[tuple[Any, type[TradingError], type[TradingError]]] = [
    (http.ReadTimeout("slow"), TemporaryExchangeError, OutcomeUnknown),
    (http.ConnectionError("reset by peer"), TemporaryExchangeError, OutcomeUnknown),
    (ConnectionResetError("reset"), TemporaryExchangeError, OutcomeUnknown),
    (BinanceRequestException("cut off"), TemporaryExchangeError, OutcomeUnknown),
    (json.JSONDecodeError("cut off", "{", 1), TemporaryExchangeError, OutcomeUnknown),
    (http.ConnectTimeout("slow"), TemporaryExchangeError, TemporaryExchangeError),
    (never_connected(), TemporaryExchangeError, TemporaryExchangeError),
    (http.SSLError("certificate"), TemporaryExchangeError, TemporaryExchangeError),
    (ReadLoopClosed("over"), StreamLost, StreamLost),
    (KeyError("orderId"), ExchangeError, OutcomeUnknown),
]


@pytest.mark.parametrize(("error", "as_read", "as_write"), FAILURES)
def test_it_classifies_every_failure(
    error: Exception, as_read: type[TradingError], as_write: type[TradingError]
) -> None:
    assert type(classify(error)) is as_read
    assert type(classify(error, is_write=True)) is as_write


def test_a_duplicate_is_ours_and_open() -> None:
    error = refusal(400, -2010, "Duplicate order sent.")

    assert type(classify(error, is_write=True)) is OutcomeUnknown


def test_it_says_cause_and_fix_in_the_words_of_the_manual() -> None:
    key = classify(refusal(401, -2015, "Invalid API-key, IP, or permissions for action."))
    stream = classify(ReadLoopClosed("over"))

    assert key.message.startswith("API key invalid: ")
    assert "Fix: " in key.message
    assert key.context["venue_code"] == -2015
    assert stream.message.startswith("WebSocket disconnected")


def test_it_tells_how_long_to_wait() -> None:
    assert classify(refusal(429, -1003, Retry_After="17")).context["retry_after_s"] == 17
    assert "retry_after_s" not in classify(refusal(429, -1003, Retry_After="soon")).context


def test_our_own_errors_pass_unchanged() -> None:
    error = InvalidInput("bad")

    assert classify(error) is error
