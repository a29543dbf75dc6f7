"""Orders in the admin: placed, amended and replaced by those who may, for a reason."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from core.models import AuditRecord
from execution import admin
from execution.models import Order

D = Decimal
ORDERS = "/admin/execution/order/"


@pytest.fixture
def owner(world, monkeypatch, settings):
    settings.ACCOUNT_NAME = "test"
    monkeypatch.setattr(admin, "get_broker", lambda: world.broker)
    monkeypatch.setattr(admin, "get_clock", lambda: world.clock)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("owner"))
    return client


def place(client, **changes):
    body = {"symbol": "btcusdt", "side": "BUY", "type": "LIMIT", "quantity": "0.01"}
    return client.post(f"{ORDERS}add/", {**body, "price": "49500", **changes}, follow=True)


def act(client, action, **figures):
    order_id = Order.objects.order_by("-pk").values_list("pk", flat=True)[0]
    body = {"action": action, "_selected_action": [str(order_id)], "reason": "why not", **figures}
    return client.post(ORDERS, body, follow=True)


def test_it_shows_a_form_with_every_type(owner):
    page = owner.get(f"{ORDERS}add/").content.decode()

    assert all(name in page for name in ("OCO", "STOP_LOSS", "trailing_delta_bps", "stop_limit"))


def test_it_places_what_the_gate_lets_through(owner):
    page = place(owner).content.decode()

    order = Order.objects.get()
    assert (order.state, order.time_in_force) == ("NEW", "GTC")
    assert f"Order {order.pk} is NEW" in page
    assert AuditRecord.objects.get(action="order.place").actor == "owner"


def test_it_shows_what_is_wrong_at_the_field(owner, world):
    page = place(owner, type="STOP_LOSS").content.decode()

    assert "STOP_LOSS takes no price" in page
    assert not world.broker.requests


def test_it_shows_why_the_gate_refused(owner, world):
    page = place(owner, price="60000").content.decode()

    assert "PRICE_COLLAR" in page
    assert not world.broker.requests


def test_it_amends_and_replaces_for_a_reason(owner):
    place(owner)

    act(owner, "amend_orders", quantity="0.004")
    assert Order.objects.get().quantity == D("0.004")

    act(owner, "replace_orders", price="49600")
    new = Order.objects.order_by("-pk")[0]
    assert (new.price, new.state, new.supersedes.state) == (D("49600"), "NEW", "CANCELED")
    assert AuditRecord.objects.get(action="order.replace").reason == "why not"


def test_it_does_nothing_without_a_reason(owner):
    place(owner)

    page = act(owner, "replace_orders", price="49600", reason="").content.decode()

    assert "a reason is needed" in page
    assert Order.objects.count() == 1


def test_it_is_for_those_who_may(owner):
    place(owner)
    viewer = Client()
    viewer.force_login(get_user_model().objects.create_user("viewer", is_staff=True))

    assert viewer.get(f"{ORDERS}add/").status_code == 403
    act(viewer, "replace_orders", price="49600")
    assert Order.objects.count() == 1
