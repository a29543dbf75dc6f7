"""Requests that no client library would send, and many at once, to the real web server."""

import contextlib
import gzip
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import requests
from django.conf import settings
from django.test import Client

from execution.models import Order
from markets.domain.ticker import Ticker
from markets.models.tickers import write_tickers
from risk.services.trading_state import read_state
from tests.floor import Floor
from tests.functional.bad_input import ORDER
from tests.functional.conftest import Callers
from tests.processes import Web

SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")
LIMIT_S = 20
MANY = 25


@pytest.fixture
def head(web: Web, callers: Callers) -> str:
    """Return the first lines of a good order's request."""
    return (
        f"POST /trading/order HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
        f"Authorization: Bearer {callers.token}\r\nContent-Type: application/json\r\n"
    )


def speak(web: Web, text: bytes) -> bytes:
    """Send bytes, say no more, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", web.port), timeout=LIMIT_S) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(text)
            # It may have answered and hung up before it read all of this.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                received += part
        return received


def status_of(answer: bytes) -> int | None:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else None


BODY = json.dumps(ORDER).encode()
SMUGGLED = b"0\r\n\r\nPOST /risk/halt HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (b"Content-Length: 10\r\n", b"{}"),
        (b"Content-Length: -1\r\n", BODY),
        (b"Content-Length: ten\r\n", BODY),
        (b"Content-Length: 99999999999999999999\r\n", BODY),
        (b"Content-Length: 4\r\nContent-Length: 400\r\n", BODY),
        (b"Transfer-Encoding: chunked\r\n", b"zz\r\n" + BODY),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", SMUGGLED),
        (b"Transfer-Encoding: cow\r\n", BODY),
        (b"X-Odd: a\rb\r\nContent-Length: 2\r\n", b"[]"),
        (b"X-Long: " + b"x" * 1_000_000 + b"\r\nContent-Length: 2\r\n", b"[]"),
        (b"X: y\r\n" * 5_000 + b"Content-Length: 2\r\n", b"[]"),
        (b"No colon here\r\nContent-Length: 2\r\n", b"[]"),
        (b"Content-Encoding: gzip\r\nContent-Length: %d\r\n", gzip.compress(b" " * 10_000_000)),
    ],
    ids=["short body", "negative length", "length in words", "huge length", "two lengths",
         "broken chunk", "smuggled request", "unknown encoding", "bare CR", "1 MB header",
         "5,000 headers", "no colon", "gzip bomb"],
)  # fmt: skip
def test_it_refuses_a_broken_request(web: Web, head: str, lines: bytes, body: bytes) -> None:
    orders = Order.objects.count()
    lines = lines.replace(b"%d", str(len(body)).encode())

    answer = speak(web, head.encode() + lines + b"\r\n" + body)

    assert status_of(answer) is None or 400 <= status_of(answer) < 500, answer[:200]
    assert requests.get(f"{web.url}/healthz", timeout=LIMIT_S).status_code == 200
    assert Order.objects.count() == orders
    assert read_state().level.value == "ACTIVE"


def test_it_answers_others_while_slow_clients_hold_on(web: Web, head: str) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(100):
            slow = held.enter_context(socket.create_connection(("127.0.0.1", web.port)))
            slow.sendall(head.encode() + b"Content-Length: 1000\r\n\r\n{")

        reply = requests.get(f"{web.url}/system/status", timeout=LIMIT_S)

    assert reply.status_code == 200


def test_equal_orders_at_once_are_one_order(web: Web, floor: Floor, callers: Callers) -> None:
    price = floor.price("ETHUSDT")
    assert write_tickers([Ticker(symbol="ETHUSDT", price=price, at=floor.clock.now())])
    headers = {"Authorization": f"Bearer {callers.token}", "Idempotency-Key": "many-at-once"}
    body = {**ORDER, "symbol": "ETHUSDT", "quantity": "0.1"}
    replies: list[requests.Response] = []
    start = threading.Barrier(MANY)

    def place() -> None:
        start.wait(LIMIT_S)
        url = f"{web.url}/trading/order"
        replies.append(requests.post(url, json=body, headers=headers, timeout=60))

    threads = [threading.Thread(target=place) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    codes = Counter(reply.status_code for reply in replies)
    order = Order.objects.get(idempotency_key="many-at-once")
    ledger = floor.call("GET", "/_sim/ledger")
    placed = [row for row in ledger["orders"] if row["clientOrderId"] == order.client_order_id]
    assert set(codes) <= {201, 409}, codes
    assert codes[201] >= 1
    assert {reply.json()["id"] for reply in replies if reply.status_code == 201} == {order.pk}
    assert len(placed) == 1
    assert (
        requests.post(
            f"{web.url}/trading/order", json=body, headers=headers, timeout=LIMIT_S
        ).json()["id"]
        == order.pk
    )


@pytest.fixture
def browser_session(callers: Callers) -> Iterator[requests.Session]:
    """Return a logged-in browser's cookies."""
    client = Client()
    client.force_login(callers.trader)
    with requests.Session() as session:
        name = settings.SESSION_COOKIE_NAME
        session.cookies.set(name, client.cookies[name].value)
        yield session


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-CSRFToken": "x" * 32},
        {"Origin": "https://evil.example"},
        {"Referer": "https://evil.example/", "X-Forwarded-Host": "evil.example"},
    ],
    ids=["no token", "made-up token", "other origin", "other referer"],
)
def test_a_page_of_others_cannot_use_the_browser_s_session(
    web: Web, browser_session: requests.Session, headers: dict[str, str]
) -> None:
    reply = browser_session.post(
        f"{web.url}/risk/halt", json={"reason": "x"}, headers=headers, timeout=LIMIT_S
    )

    assert reply.status_code == 403
    assert set(reply.json()) == {"code", "message", "context"}
    assert "CSRF" in reply.json()["message"]
    assert read_state().level.value == "ACTIVE"


@pytest.mark.parametrize(
    ("token", "code"),
    [("expired", "TOKEN_EXPIRED"), ("revoked", "TOKEN_REVOKED"), ("disabled", "USER_DISABLED")],
)
def test_the_kill_switch_says_why_a_token_does_not_open_it(
    web: Web, callers: Callers, token: str, code: str
) -> None:
    reply = requests.post(
        f"{web.url}/risk/halt",
        json={"reason": "x"},
        headers={"Authorization": f"Bearer {getattr(callers, token)}"},
        timeout=LIMIT_S,
    )

    assert (reply.status_code, reply.json()["code"]) == (401, code)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
