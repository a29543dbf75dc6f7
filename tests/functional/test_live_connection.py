"""``/ws`` on the real server: who gets in, what is refused, and that nothing is ever missing."""

import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from alerts import push
from core import broadcast
from core.models import ApiToken
from tests.functional.conftest import Callers
from tests.processes import Web

SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT_S = 20


@pytest.fixture
def token(callers: Callers) -> dict[str, str]:
    return {"Authorization": f"Bearer {callers.token}"}


@pytest.fixture
def session(web: Web, callers: Callers) -> str:
    """Return the cookie of a browser that is logged in."""
    client = Client()
    client.force_login(callers.trader)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def open_socket(web: Web, headers: dict[str, str], **options: Any) -> ClientConnection:
    return connect(
        f"ws://127.0.0.1:{web.port}/ws", additional_headers=headers, max_size=None, **options
    )


def get(connection: ClientConnection) -> dict[str, Any]:
    """Return the next message, which has what the contract promises of every message."""
    message = json.loads(connection.recv(timeout=LIMIT_S))
    assert isinstance(message["type"], str)
    assert message["version"] == 1
    assert datetime.fromisoformat(message["at"]).tzinfo is not None
    assert isinstance(message["seq"], int)
    return message


def say(connection: ClientConnection, **message: Any) -> None:
    connection.send(json.dumps(message))


def ticker(price: int, symbol: str = "BTCUSDT") -> push.Ticker:
    return push.Ticker(
        type="ticker", at=NOW, symbol=symbol, price=Decimal(price), bid=None, ask=None
    )


def publish(*prices: int, symbol: str = "BTCUSDT") -> None:
    for price in prices:
        push.publish(ticker(price, symbol))
    assert broadcast.flush(LIMIT_S)


@contextlib.contextmanager
def opened(web: Web, headers: dict[str, str]) -> Iterator[tuple[ClientConnection, dict[str, Any]]]:
    """Open a connection and read its snapshot."""
    with open_socket(web, headers) as connection:
        snapshot = get(connection)
        assert snapshot["type"] == "snapshot"
        yield connection, snapshot


def closing_code(connection: ClientConnection, *, publishing: bool = False) -> int | None:
    """Read until the server closes, and return its code; None where it just hung up."""
    try:
        while True:
            if publishing:
                publish(1)
            connection.recv(timeout=LIMIT_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


class TestWhoGetsIn:
    @pytest.mark.parametrize(
        "header",
        ["Bearer nobody-knows-this", "Bearer", "", "Basic {token}", "Bearer {expired}",
         "Bearer {revoked}", "Bearer {disabled}", "Bearer " + "t" * 2_000],
    )  # fmt: skip
    def test_it_refuses_odd_tokens(self, web: Web, callers: Callers, header: str) -> None:
        text = header.format(**{name: getattr(callers, name) for name in Callers.__annotations__})
        with pytest.raises(InvalidStatus) as refused:
            open_socket(web, {"Authorization": text}).close()

        assert refused.value.response.status_code == 403

    def test_it_refuses_a_stranger_and_a_token_in_the_query(
        self, web: Web, callers: Callers
    ) -> None:
        own = {"Origin": web.url}
        for query in ("", f"?token={callers.token}"):
            with pytest.raises(InvalidStatus):
                connect(f"ws://127.0.0.1:{web.port}/ws{query}", additional_headers=own).close()

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example", "null", "http://evil-127.0.0.1", "http://127.0.0.1.evil.example",
         "http://localhost.evil.example", "file://", "", None],
    )  # fmt: skip
    def test_it_refuses_pages_of_others_although_the_browser_is_logged_in(
        self, web: Web, session: str, origin: str | None
    ) -> None:
        headers = {"Cookie": session} | ({} if origin is None else {"Origin": origin})
        with pytest.raises(InvalidStatus):
            open_socket(web, headers).close()

    def test_it_lets_our_own_page_in(self, web: Web, session: str) -> None:
        with opened(web, {"Cookie": session, "Origin": web.url}) as (_, snapshot):
            assert snapshot["data"]["risk"]["level"] == "ACTIVE"

    def test_it_lets_go_who_was_revoked(self, web: Web, token: dict[str, str]) -> None:
        with opened(web, token) as (connection, _):
            whole = ApiToken.objects.filter(name="whole")
            whole.update(revoked_at=timezone.now())
            try:
                code = closing_code(connection, publishing=True)
            finally:
                whole.update(revoked_at=None)

        assert code == 4403

    def test_it_lets_go_who_logged_out(self, web: Web, session: str) -> None:
        with opened(web, {"Cookie": session, "Origin": web.url}) as (connection, _):
            name, _, key = session.partition("=")
            client = Client()
            client.cookies[name] = key
            client.logout()

            assert closing_code(connection, publishing=True) == 4403


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "7", "null", '"ping"', "{}", '{"action": "drop"}', '{"action": null}',
         '{"action": ["ping"]}', '{"action": "__init__"}', "[" * 30_000, "NaN",
         '{"action": "resume"}', '{"action": "resume", "seq": "1"}',
         '{"action": "resume", "seq": -1}', '{"action": "resume", "seq": true}',
         '{"action": "resume", "seq": 1.5}', '{"action": "resume", "seq": 9223372036854775808}',
         '{"action": "subscribe", "channels": "ticker"}',
         '{"action": "subscribe", "channels": ["tickers"]}',
         '{"action": "subscribe", "channels": ["../live"]}',
         '{"action": "subscribe", "channels": [1]}',
         '{"action": "subscribe", "symbols": ["btcusdt"]}',
         '{"action": "subscribe", "symbols": ["BTC/USDT"]}',
         '{"action": "subscribe", "symbols": {}}'],
        ids=lambda text: text[:60] or "empty",
    )  # fmt: skip
    def test_it_says_what_is_wrong_and_closes(
        self, web: Web, token: dict[str, str], text: str
    ) -> None:
        with opened(web, token) as (connection, _):
            connection.send(text)
            error = get(connection)
            code = closing_code(connection)

        assert (error["type"], error["code"]) == ("error", "INVALID_INPUT")
        assert error["message"]
        assert isinstance(error["context"], dict)
        assert code == 4400

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            (b"\x00\x01", 4400),
            ("x" * 70_000, 4400),
            (json.dumps({"action": "subscribe", "symbols": ["A"] * 10_000}), 4400),
            (json.dumps({"action": "subscribe", "symbols": ["A" * 200]}), 4400),
            ("x" * 4_000_000, None),
        ],
        ids=["binary", "over 64 KiB", "10,000 symbols", "200 letters", "over a frame"],
    )
    def test_it_refuses_frames_that_nobody_sends(
        self, web: Web, token: dict[str, str], frame: Any, code: int
    ) -> None:
        with opened(web, token) as (connection, _):
            with contextlib.suppress(ConnectionClosed):
                connection.send(frame)
            assert closing_code(connection) == code

    def test_it_takes_fragments_and_refuses_text_that_is_no_utf_8(
        self, web: Web, token: dict[str, str]
    ) -> None:
        with opened(web, token) as (connection, _):
            connection.send(iter(['{"action"', ': "pi', 'ng"}']))
            assert get(connection)["type"] == "pong"
            with contextlib.suppress(ConnectionClosed):
                connection.send(b'{"action": "\xff"}', text=True)
            assert closing_code(connection) is None

    @pytest.mark.parametrize("action", ["ping", "subscribe", "snapshot"])
    def test_it_lets_a_flood_go(self, web: Web, token: dict[str, str], action: str) -> None:
        with opened(web, token) as (connection, _):
            with contextlib.suppress(ConnectionClosed):
                for _ in range(2_000):
                    say(connection, action=action)
            assert closing_code(connection) == 4429

        with opened(web, token) as (connection, _):
            say(connection, action="ping")
            assert get(connection)["type"] == "pong"


class TestWhatArrives:
    def test_it_sends_what_was_chosen(self, web: Web, token: dict[str, str]) -> None:
        with opened(web, token) as (connection, snapshot):
            say(connection, action="subscribe", channels=["ticker"], symbols=["ETHUSDT"])
            assert get(connection)["type"] == "subscribed"
            publish(1)
            publish(2, symbol="ETHUSDT")
            message = get(connection)
            say(connection, action="snapshot")
            again = get(connection)

        assert (message["symbol"], message["price"]) == ("ETHUSDT", "2")
        assert message["seq"] == snapshot["seq"] + 2
        assert again["type"] == "snapshot"
        assert set(again["data"]["prices"]) <= {"ETHUSDT"}
        assert "candles" in snapshot["data"]
        assert "candles" not in again["data"]

    def test_two_connections_get_the_same(self, web: Web, token: dict[str, str]) -> None:
        with opened(web, token) as (one, _), opened(web, token) as (two, _):
            publish(*range(1, 51))
            first = [get(one) for _ in range(50)]
            second = [get(two) for _ in range(50)]

        assert first == second
        assert [message["price"] for message in first] == [str(price) for price in range(1, 51)]

    def test_a_reconnect_with_resume_leaves_no_gap(self, web: Web, token: dict[str, str]) -> None:
        with opened(web, token) as (connection, _):
            publish(1, 2, 3)
            seen = [get(connection) for _ in range(3)]
        publish(4, 5, 6)

        with opened(web, token) as (connection, _):
            say(connection, action="resume", seq=seen[-1]["seq"])
            missed = [get(connection) for _ in range(3)]
            told = get(connection)
            publish(7)
            fresh = get(connection)

        sequence = [message["seq"] for message in (*seen, *missed, fresh)]
        assert sequence == list(range(seen[0]["seq"], seen[0]["seq"] + 7))
        assert (told["type"], told["seq"]) == ("resumed", missed[-1]["seq"])
        assert fresh["price"] == "7"

    @pytest.mark.parametrize("distance", [-1_000_000, 1_000_000], ids=["too old", "in the future"])
    def test_it_sends_a_snapshot_where_it_cannot_resume(
        self, web: Web, token: dict[str, str], distance: int
    ) -> None:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            client.set(f"{settings.REDIS_PREFIX}live:seq", 5_000_000)
            client.delete(f"{settings.REDIS_PREFIX}live:stream")
        publish(1)
        with opened(web, token) as (connection, snapshot):
            say(connection, action="resume", seq=snapshot["seq"] + distance)
            answer = get(connection)

        assert answer["type"] == "snapshot"
        assert answer["seq"] == snapshot["seq"]

    def test_it_mends_what_the_group_lost(self, web: Web, token: dict[str, str]) -> None:
        """The stream has messages of which no group message came; the next one brings them."""
        with opened(web, token) as (connection, snapshot):
            with redis.Redis.from_url(settings.REDIS_URL) as client:
                lost = int(client.incr(f"{settings.REDIS_PREFIX}live:seq"))
                body = json.dumps({"version": 1, **ticker(8), "at": NOW.isoformat()}, default=str)
                client.xadd(f"{settings.REDIS_PREFIX}live:stream", {"m": body}, id=f"{lost}-1")
            publish(9)
            messages = [get(connection), get(connection)]

        assert [message["price"] for message in messages] == ["8", "9"]
        assert [message["seq"] for message in messages] == [lost, lost + 1]
        assert lost == snapshot["seq"] + 1

    def test_who_does_not_read_is_cut_and_delays_nobody(
        self, web: Web, token: dict[str, str]
    ) -> None:
        deaf = _deaf_client(web, token["Authorization"])
        big = [{**ticker(1), "symbol": "X" * 2_000} for _ in range(500)]
        with opened(web, token) as (connection, _):
            seen = 0
            while not _is_cut(web):
                push.publish(*big)
                for _ in range(500):
                    get(connection)
                seen += 500
                assert seen < 100_000, "the deaf client was never cut"
        deaf.close()

        assert seen > 500


def _deaf_client(web: Web, authorization: str) -> socket.socket:
    """Open a connection by hand and never read from it."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deaf.connect(("127.0.0.1", web.port))
    lines = [
        "GET /ws HTTP/1.1", f"Host: 127.0.0.1:{web.port}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13", f"Authorization: {authorization}", "", "",
    ]  # fmt: skip
    deaf.sendall("\r\n".join(lines).encode())
    return deaf


def _is_cut(web: Web) -> bool:
    return "live.slow_client_cut" in web.child.output()
