import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from simexchange.faces import ws_session
from simexchange.faces.gateway import Answer, Gateway, Signed
from simexchange.faces.limits import Limits
from simexchange.faces.signing import socket_payload
from simexchange.faces.user_streams import UserStreams
from simexchange.faces.ws_session import Session
from simexchange.faults import Faults
from tests.fakes.sim_exchange import Desk

Ask = Callable[..., Answer]


@pytest.fixture
def ask() -> Ask:
    """Return ``ask(method, account)``, signed with the account's key, on one connection."""
    desk = Desk()
    desk.add_account("2")
    clock = desk.clock
    limits = Limits(clock, weight_limit=9_000, orders_10s=3, orders_1d=5)
    streams = UserStreams(Faults(clock.wall_ms), clock)
    session = Session(Gateway(desk.exchange, limits), streams, asyncio.Queue(), shows_limits=True)

    def call(method: str, account: str = "1", **more: Any) -> Answer:
        params = {"apiKey": f"SIM{account}", "timestamp": str(clock.now_ms()), **more}
        payload = socket_payload(params)
        signature = hmac.new(b"secret", payload, hashlib.sha256).hexdigest()
        signed = Signed(params["apiKey"], signature, payload)
        return session.answer(f"userDataStream.{method}", params, signed)

    return call


def test_ids_begin_at_nought_and_are_not_given_out_again(ask: Ask) -> None:
    assert ask("subscribe.signature").body == {"subscriptionId": 0}
    assert ask("subscribe.signature", "2").body == {"subscriptionId": 1}
    ask("unsubscribe", subscriptionId="0")

    assert ask("subscribe.signature").body == {"subscriptionId": 2}


def test_an_account_is_heard_once_on_a_connection(ask: Ask) -> None:
    ask("subscribe.signature")

    assert ask("subscribe.signature").body["code"] == -2035


def test_a_connection_that_used_up_its_ids_is_told_so(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_session, "MOST_IDS", 2)
    for _ in range(2):
        ask("subscribe.signature")
        ask("unsubscribe")

    answer = ask("subscribe.signature")

    assert answer.status == 400
    assert answer.body == {
        "code": -2042,
        "msg": "Maximum subscription ID reached for this connection.",
    }


def test_a_connection_hears_so_many_accounts_and_no_more(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_session, "MOST_SUBSCRIPTIONS", 1)
    ask("subscribe.signature")

    assert ask("subscribe.signature", "2").status == 429
