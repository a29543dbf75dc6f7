"""Orders by hand, over REST: the same gate, and safe to repeat."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model

from core.models import AuditRecord
from execution.models import Order, Position

D = Decimal


def buy(client, key="key-1", **changes):
    body = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", **changes}
    return client.post("/trading/order", body, format="json", headers={"Idempotency-Key": key})


def test_it_places_once_for_one_key(client, world):
    first = buy(client)
    again = buy(client)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.json()["state"] == "FILLED"
    assert first.json()["quantity"] == "0.01"
    assert Order.objects.filter(leg="MANUAL").count() == 1
    assert Order.objects.get(leg="PROTECT").state == "NEW"
    assert AuditRecord.objects.filter(action="order.place").count() == 1


def test_it_refuses_another_order_under_the_same_key(client):
    buy(client)

    other = buy(client, quantity="0.02")

    assert other.status_code == 409
    assert other.json()["code"] == "CONFLICT"
    assert Order.objects.filter(leg="MANUAL").count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "NaN"},
        {"quantity": "-1"},
        {"quantity": "0"},
        {"quantity": "1e400"},
        {"quantity": 0.01},
        {"quantity": None},
        {"side": "HOLD"},
        {"type": "OCO"},
        {"symbol": "BTC/USDT"},
        {"leverage": "10"},
        {"time_in_force": "ever"},
    ],
    ids=str,
)
def test_it_answers_400_to_bad_input_and_sends_nothing(client, world, changes):
    reply = buy(client, **changes)

    assert reply.status_code == 400, reply.json()
    assert set(reply.json()) == {"code", "message", "context"}
    assert not world.broker.requests


def test_it_answers_with_the_gate_s_reason(client, world):
    reply = buy(client, quantity="100")

    assert reply.status_code == 422
    assert reply.json()["code"] == Order.objects.get().reason
    assert not world.broker.requests


def test_it_answers_404_to_an_unknown_symbol(client):
    assert buy(client, symbol="NOSUCHUSDT").status_code == 404


def test_it_cancels_a_resting_order_and_says_when_it_is_too_late(client):
    placed = buy(client, type="LIMIT", price="49500").json()
    assert placed["state"] == "NEW"

    canceled = client.delete(f"/trading/order/{placed['id']}")

    assert (canceled.status_code, canceled.json()["state"]) == (200, "CANCELED")
    assert client.delete(f"/trading/order/{placed['id']}").status_code == 409
    assert client.delete("/trading/order/999999").status_code == 404
    assert AuditRecord.objects.get(action="order.cancel").after == {"state": "CANCELED"}


def test_it_closes_one_position_or_all(client, world):
    buy(client)
    buy(client, key="key-2", symbol="ETHUSDT", quantity="0.4")

    one = client.post("/positions/close", {"symbol": "BTCUSDT"}, format="json")

    assert one.status_code == 200, one.json()
    assert [order["state"] for order in one.json()["orders"]] == ["FILLED"]
    assert Position.objects.get(symbol="BTCUSDT").status == "closed"
    assert client.post("/positions/close", {"symbol": "BTCUSDT"}, format="json").status_code == 404
    assert client.post("/positions/close", {}, format="json").status_code == 400
    assert client.post("/positions/close", {"all": True}, format="json").status_code == 200
    assert not Position.objects.filter(status="open").exists()
    assert world.reconcile().is_green


def test_it_needs_a_token(client):
    client.force_authenticate(None)

    assert buy(client).status_code == 401


def test_it_cancels_in_the_admin_for_those_who_may(client, world, monkeypatch):
    from django.test import Client

    from execution import admin

    monkeypatch.setattr(admin, "get_broker", lambda: world.broker)
    monkeypatch.setattr(admin, "get_clock", lambda: world.clock)
    order_id = buy(client, type="LIMIT", price="49500").json()["id"]
    users = get_user_model().objects
    body = {"action": "cancel_orders", "_selected_action": [str(order_id)]}
    viewer, owner = Client(), Client()
    viewer.force_login(users.create_user("viewer", is_staff=True))
    owner.force_login(users.create_superuser("owner"))

    viewer.post("/admin/execution/order/", body)
    assert Order.objects.get(pk=order_id).state == "NEW"

    owner.post("/admin/execution/order/", body)
    assert Order.objects.get(pk=order_id).state == "CANCELED"
