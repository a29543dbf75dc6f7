"""Bad input over REST: a 4xx that says why, no row written, nothing sent to the exchange."""

from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from execution.models import Account, Order
from markets.domain.ticker import Ticker
from markets.models.tickers import write_tickers
from tests.floor import Floor
from tests.functional.bad_input import JSON, KEY, ORDER, TABLE, Bad, as_bytes
from tests.functional.conftest import Callers

SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")


class Desk:
    """The rows and the requests that must stay as they are."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.seen = self.look()

    def look(self) -> dict[str, int]:
        """Return the rows of every table, and the requests that change something out there."""
        rows = {model._meta.label: model.objects.count() for model in apps.get_models()}
        requests = self.floor.call("GET", "/_sim/ledger")["requests"]
        return {**rows, "sent": sum(request["method"] != "GET" for request in requests)}

    def changes(self) -> dict[str, int]:
        """Return what is more or less than when it was asked last."""
        before, self.seen = self.seen, self.look()
        return {
            name: count - before[name] for name, count in self.seen.items() if count != before[name]
        }


@pytest.fixture(scope="module")
def desk(floor: Floor, callers: Callers) -> Desk:
    """Have one filled order with its protective pair, placed with KEY."""
    client = Client(headers={"Authorization": f"Bearer {callers.token}"})
    for symbol in ("BTCUSDT", "ETHUSDT"):
        ticker = Ticker(symbol=symbol, price=floor.price(symbol), at=floor.clock.now())
        assert write_tickers([ticker])
    placed = client.post(
        "/trading/order", ORDER, content_type=JSON, headers={"Idempotency-Key": KEY}
    )
    assert placed.json().get("state") == "FILLED", placed.json()
    return Desk(floor)


@pytest.mark.parametrize("bad", TABLE, ids=[bad.name for bad in TABLE])
def test_it_is_refused_and_changes_nothing(desk: Desk, callers: Callers, bad: Bad) -> None:
    reply = _send(callers, bad)

    assert reply.status_code == bad.status, reply.content[:500]
    if bad.method != "HEAD":
        told = reply.json()
        assert set(told) == {"code", "message", "context"}
        assert told["code"].isupper()
        assert told["message"]
        assert isinstance(told["context"], dict)
        assert len(reply.content) < 4_000
    assert desk.changes() == {}


def test_it_cancels_no_order_of_another_account(desk: Desk, callers: Callers) -> None:
    protection = Order.objects.get(leg="PROTECT")
    other = Account.objects.create(
        name="other", mode="demo", quote_asset="USDT", created_at=desk.floor.clock.now()
    )
    Order.objects.filter(pk=protection.pk).update(account=other)
    desk.changes()

    reply = _send(callers, Bad("", 404, "DELETE", f"/trading/order/{protection.pk}"))

    Order.objects.filter(pk=protection.pk).update(account=desk.floor.account)
    assert reply.status_code == 404
    assert desk.changes() == {}


def test_the_same_key_with_the_same_order_is_the_first_order(desk: Desk, callers: Callers) -> None:
    reply = _send(callers, Bad("", 201, body=ORDER, headers={"Idempotency-Key": KEY}))

    assert reply.status_code == 201
    assert reply.json()["id"] == Order.objects.get(leg="MANUAL").pk
    assert desk.changes() == {}


def _send(callers: Callers, bad: Bad) -> Any:
    names = {"token": callers.token, "cut": callers.token[:-1], "upper": callers.token.upper()}
    headers = {
        name: value.format(**names) if name == "Authorization" else value
        for name, value in bad.headers.items()
    }
    if bad.token is not None:
        headers["Authorization"] = f"Bearer {getattr(callers, bad.token)}"
    return Client(raise_request_exception=False).generic(
        bad.method,
        bad.path.format(**names) if "{" in bad.path else bad.path,
        as_bytes(bad.body),
        content_type=bad.content_type,
        headers=headers,
    )
