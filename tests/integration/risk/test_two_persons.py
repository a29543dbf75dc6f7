"""With TWO_PERSON_REARM nobody re-arms alone, whatever door they take."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from core.errors import Conflict, Denied, InvalidInput
from core.models import AuditRecord
from core.tokens import issue_token
from risk.domain.trading_state import Level
from risk.models import RearmRequest, TradingStateChange
from risk.services.rearming import rearm_trading
from risk.services.staffing import check_second_person
from risk.services.trading_state import raise_level, read_state, start_trading

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGE = "/admin/risk/tradingstate/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _two_persons(settings):
    settings.TWO_PERSON_REARM = True
    raise_level(level=Level.HALT, reason="odd prices", actor="rita", now=NOW)


def rearm(actor: str, *, minutes: float = 0, reason: str = "explained", **more):
    return rearm_trading(
        reason=reason,
        actor=actor,
        reset_drawdown=False,
        now=NOW + timedelta(minutes=minutes),
        **more,
    )


def test_the_first_only_asks_and_the_second_re_arms() -> None:
    assert rearm("anna").level is Level.HALT

    assert rearm("ben", minutes=9.9, reason="looked too").level is Level.ACTIVE

    row = RearmRequest.objects.get()
    assert (row.asked_by, row.approved_by) == ("anna", "ben")
    change = TradingStateChange.objects.get(to_level="ACTIVE")
    assert (change.actor, change.reason) == ("ben", "looked too (asked by anna: explained)")
    asked = AuditRecord.objects.get(action="risk.rearm_request")
    assert (asked.actor, asked.reason) == ("anna", "explained")


@pytest.mark.parametrize("second", ["anna", "Anna", "cli:anna", "rita", "cli:rita"])
def test_who_asked_or_raised_is_no_second_person(second: str) -> None:
    rearm("anna")

    with pytest.raises(Denied, match="another person"):
        rearm(second)

    assert read_state().level is Level.HALT


def test_who_raised_may_ask() -> None:
    rearm("rita")

    assert rearm("anna").level is Level.ACTIVE


def test_a_wish_runs_out_after_ten_minutes() -> None:
    rearm("anna")

    assert rearm("ben", minutes=10.1).level is Level.HALT
    assert rearm("anna", minutes=11).level is Level.ACTIVE


def test_a_wish_for_an_earlier_state_is_void() -> None:
    rearm("anna")
    raise_level(level=Level.CANCEL, reason="worse", actor="auto:guard", now=NOW)

    assert rearm("ben").level is Level.CANCEL
    assert rearm("anna").level is Level.ACTIVE


def test_nobody_asks_without_a_reason_or_automatically_or_about_another_state() -> None:
    with pytest.raises(InvalidInput):
        rearm("anna", reason=" ")
    with pytest.raises(Denied, match="only a person"):
        rearm("auto:guard")
    with pytest.raises(Conflict):
        rearm("anna", expected_epoch=read_state().epoch - 1)
    assert not RearmRequest.objects.exists()


def test_scopes_are_re_armed_by_two_as_well() -> None:
    raise_level(level=Level.HALT, reason="x", actor="rita", now=NOW, scope="symbol:BTCUSDT")

    assert rearm("anna", scope="symbol:BTCUSDT").level is Level.HALT
    assert rearm("ben", scope="symbol:BTCUSDT").level is Level.ACTIVE
    assert read_state().level is Level.HALT


def test_the_database_itself_refuses_one_person_as_two() -> None:
    rearm("anna")

    with pytest.raises(IntegrityError), transaction.atomic():
        RearmRequest.objects.update(approved_by="anna")


def test_starting_is_no_way_around_it() -> None:
    start_trading(reason="go", actor="anna", now=NOW)

    assert read_state().level is Level.HALT


def staff(name: str):
    return get_user_model().objects.create_superuser(name, password="x")


def test_by_api_command_and_page(monkeypatch) -> None:
    _, token = issue_token(
        user=staff("anna"), name="t", now=datetime.now(UTC), lifetime=timedelta(days=1), actor="t"
    )
    api = Client(headers={"Authorization": f"Bearer {token}"})
    body = {"reason": "explained"}

    asked = api.post("/risk/rearm", body, content_type="application/json")
    again = api.post("/risk/rearm", body, content_type="application/json")

    assert asked.status_code == 202
    assert asked.json()["rearm_request"]["asked_by"] == "anna"
    assert "another person" in again.json()["message"]
    monkeypatch.setattr("getpass.getuser", lambda: "anna")
    with pytest.raises(CommandError, match="another person"):
        call_command("rearm", "--reason", "explained")
    page = Client()
    page.force_login(staff("ben"))
    assert "anna asked at" in page.get(PAGE).content.decode()
    form = {
        "reason": "looked too",
        "is_confirmed": "on",
        "scope": "GLOBAL",
        "expected_epoch": read_state().epoch,
    }
    done = page.post(f"{PAGE}rearm/", form, follow=True).content.decode()
    assert "Done." in done
    assert read_state().level is Level.ACTIVE


def test_the_command_says_that_a_second_is_awaited(monkeypatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "carl")
    out = io.StringIO()

    call_command("rearm", "--reason", "explained", stdout=out)

    assert "A second person" in out.getvalue()
    assert read_state().level is Level.HALT


def test_the_page_says_that_a_second_is_awaited() -> None:
    page = Client()
    page.force_login(staff("anna"))
    form = {
        "reason": "explained",
        "is_confirmed": "on",
        "scope": "GLOBAL",
        "expected_epoch": read_state().epoch,
    }

    told = page.post(f"{PAGE}rearm/", form, follow=True).content.decode()

    assert "Asked for. Another person" in told
    assert read_state().level is Level.HALT


def test_a_single_staff_user_is_told_that_nobody_could_re_arm(settings) -> None:
    staff("anna")
    assert [message.id for message in check_second_person()] == ["risk.W001"]

    staff("ben")
    assert check_second_person() == []

    get_user_model().objects.filter(username="ben").update(is_active=False)
    settings.TWO_PERSON_REARM = False
    assert check_second_person() == []
