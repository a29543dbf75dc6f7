"""What differs is kept until somebody settles it, and nothing new is opened before."""

from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from core.errors import Conflict, InvalidInput, NotFound
from core.models import AuditRecord
from execution.models import Balance, Difference, LedgerEntry, Order, Position
from execution.services.differences import Settlement, settle_difference
from execution.services.orders import place_orders
from risk.services.trading_state import rearm

D = Decimal
LIST = "/admin/execution/difference/"


def place(world, symbol="BTCUSDT"):
    place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)


def settle(world, status, reason="explained", difference_id=None):
    return settle_difference(
        difference_id=difference_id or Difference.objects.get(status="OPEN").pk,
        settlement=Settlement(status=status, reason=reason, actor="anna"),
        broker=world.broker,
        clock=world.clock,
    )


@pytest.fixture
def deposited(world):
    world.broker.held["USDT"] += D("500")
    assert not world.reconcile().is_green
    rearm(reason="looking", actor="anna", now=world.clock.now())
    return world


def test_a_difference_is_one_row_however_often_it_is_seen(deposited):
    deposited.reconcile()
    rearm(reason="looking", actor="anna", now=deposited.clock.now())

    row = Difference.objects.get()
    assert (row.kind, row.subject, row.status) == ("BALANCE_DIFFERS", "asset:USDT", "OPEN")
    assert row.last_seen_at > row.first_seen_at
    settle(deposited, "ADOPTED")


def test_nothing_is_entered_while_one_is_open_even_after_re_arming(deposited):
    place(deposited)

    assert (Order.objects.get().state, Order.objects.get().reason) == (
        "DENIED",
        "RECONCILE_NOT_GREEN",
    )
    settle(deposited, "ADOPTED", "deposit of 500")
    assert deposited.reconcile().is_green
    deposited.clock.advance(10)
    place(deposited)
    assert Position.objects.get().status == "open"


def test_a_deposit_is_adopted_into_the_ledger_with_its_reason(deposited):
    row = settle(deposited, "ADOPTED", "deposit of 500")

    assert (row.status, row.actor, row.reason) == ("ADOPTED", "anna", "deposit of 500")
    assert Balance.objects.get(asset="USDT").total == D("100500")
    assert LedgerEntry.objects.get(kind="EXTERNAL").reason == "deposit of 500"
    audited = AuditRecord.objects.get(action="reconciliation.settle")
    assert (audited.actor, audited.reason) == ("anna", "deposit of 500")


def test_what_has_changed_since_is_not_adopted(deposited):
    deposited.broker.held["USDT"] += D("1")

    with pytest.raises(Conflict, match="501 now and was 500"):
        settle(deposited, "ADOPTED")

    deposited.reconcile()
    settle(deposited, "ADOPTED")


def test_what_is_ignored_stays_ignored_until_its_figures_change(deposited):
    deposited.unsound = "the difference is left as it is"
    settle(deposited, "IGNORED", "the airdrop stays outside")
    assert deposited.reconcile().is_green

    deposited.broker.held["USDT"] += D("1")

    assert not deposited.reconcile().is_green
    assert Difference.objects.filter(status="OPEN").count() == 1


def test_what_is_not_found_any_more_is_settled_by_itself(deposited):
    deposited.broker.held["USDT"] -= D("500")

    assert deposited.reconcile().is_green

    assert Difference.objects.get().status == "VANISHED"


def test_the_position_in_question_is_sold(world):
    world.unsound = "a position was altered"
    place(world)
    real = Position.objects.get().quantity
    Position.objects.update(quantity=real + D("0.001"))
    assert not world.reconcile().is_green
    Position.objects.update(quantity=real)

    row = settle(world, "FLATTENED")

    assert row.status == "FLATTENED"
    assert Position.objects.get().status == "closed"


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        ("ADOPTED", " ", InvalidInput),
        ("VANISHED", "why not", InvalidInput),
        ("FLATTENED", "no position", InvalidInput),
    ],
)
def test_it_refuses_what_makes_no_sense(deposited, status, reason, error):
    with pytest.raises(error):
        settle(deposited, status, reason)
    settle(deposited, "ADOPTED")


def test_it_refuses_what_is_settled_or_does_not_exist(deposited):
    row = settle(deposited, "ADOPTED")

    with pytest.raises(Conflict, match="ADOPTED already"):
        settle(deposited, "IGNORED", difference_id=row.pk)
    with pytest.raises(NotFound):
        settle(deposited, "IGNORED", difference_id=999_999)


def test_a_person_settles_it_on_the_page(deposited, monkeypatch):
    monkeypatch.setattr("execution.admin.get_broker", lambda: deposited.broker)
    user = get_user_model().objects.create_superuser("anna", password="x")
    page = Client()
    page.force_login(user)
    row = Difference.objects.get()
    form = {"action": "adopt", "_selected_action": row.pk}

    refused = page.post(LIST, {**form, "reason": ""}, follow=True).content.decode()
    done = page.post(LIST, {**form, "reason": "deposit"}, follow=True).content.decode()

    assert "a reason is needed" in refused
    assert "is ADOPTED" in done
    assert "100500" in done


def test_a_viewer_cannot_settle(deposited):
    user = get_user_model().objects.create_user("viewer", password="x", is_staff=True)
    from django.contrib.auth.models import Permission

    user.user_permissions.add(Permission.objects.get(codename="view_difference"))
    page = Client()
    page.force_login(user)

    html = page.get(LIST).content.decode()
    page.post(LIST, {"action": "ignore", "_selected_action": Difference.objects.get().pk})

    assert "BALANCE_DIFFERS" in html
    assert Difference.objects.get().status == "OPEN"
    settle(deposited, "ADOPTED")
