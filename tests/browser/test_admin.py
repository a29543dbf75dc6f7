"""The control plane as its operator uses it."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

import tradingsite.urls  # noqa: F401 - registers every admin page
from alerts.models import Channel
from core.models import AuditRecord
from execution.models import Fill, LedgerEntry, Order
from risk.models import RiskLimits
from risk.services.trading_state import read_state, start_trading
from tests.browser.conftest import DESKTOP, PHONE
from tests.floor import Floor
from tests.functional.conftest import Callers
from tests.processes import Web

SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")
FIRST_SCREEN = "/admin/risk/tradingstate/"
pytestmark = pytest.mark.browser


@pytest.fixture
def webhook() -> Iterator[tuple[int, list[str]]]:
    """Run a server that keeps what is posted to it."""
    posted: list[str] = []

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Keeper)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port, posted
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_its_first_screen_is_the_kill_switch_and_the_limits(
    open_page: Callable[..., Page], keep: Callable[[Page, str], Path], size: dict[str, int]
) -> None:
    page = open_page("/admin/", size, lands_on=FIRST_SCREEN)

    expect(page.locator("#kill-level")).to_have_text("ACTIVE")
    expect(page.locator("#limits-form")).to_contain_text("Daily loss")
    expect(page.locator("#desk-halt")).to_be_in_viewport()
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    keep(page, f"admin-{size['width']}")


def test_it_halts_from_any_page_and_rearms_on_the_first(
    open_page: Callable[..., Page], floor: Floor
) -> None:
    page = open_page("/admin/execution/order/", PHONE)
    page.locator("#desk-halt").click()
    page.locator("#desk-halt-reason").fill("odd orders")
    page.get_by_role("button", name="Halt now").click()

    page.wait_for_url(f"**{FIRST_SCREEN}")
    expect(page.locator("#kill-level")).to_have_text("CANCEL")
    assert read_state().level.value == "CANCEL"

    page.locator("#rearm_reason").fill("explained")
    page.locator("#rearm_is_confirmed").check()
    page.get_by_role("button", name="Re-arm").click()

    expect(page.locator("#kill-level")).to_have_text("ACTIVE")
    assert read_state().level.value == "ACTIVE"
    start_trading(reason="test", actor="tester", now=floor.clock.now())


def test_it_changes_a_limit_only_with_a_reason(open_page: Callable[..., Page]) -> None:
    page = open_page(FIRST_SCREEN, may_be_refused=True)
    save = page.get_by_role("button", name="Save limits")
    page.get_by_label("Daily loss").fill("750.5")
    save.click()
    assert RiskLimits.objects.get().max_daily_loss == 1000

    page.locator("#id_reason").fill("calmer")
    page.get_by_label("Stop loss").fill("2")
    save.click()
    expect(page.locator("#limits-form .error")).to_contain_text("0.5")
    assert RiskLimits.objects.get().max_daily_loss == 1000

    page.get_by_label("Stop loss").fill("0.03")
    save.click()
    expect(page.get_by_text("Done.")).to_be_visible()
    limits = RiskLimits.objects.get()
    assert (str(limits.max_daily_loss), str(limits.stop_loss_fraction)) == ("750.5", "0.03")
    assert AuditRecord.objects.latest("sequence").reason == "calmer"


def test_it_tries_an_alert_channel(
    open_page: Callable[..., Page], webhook: tuple[int, list[str]]
) -> None:
    port, posted = webhook
    page = open_page("/admin/alerts/channel/add/")
    page.get_by_label("Name").fill("pager")
    page.get_by_label("Kind").select_option("WEBHOOK")
    page.get_by_label("Target").fill(f"http://127.0.0.1:{port}/hook")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/admin/alerts/channel/")

    page.get_by_role("row", name="pager").get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option("send_test")
    page.get_by_role("button", name="Run").click()

    expect(page.get_by_text("pager: sent.")).to_be_visible()
    assert "tried out the channel pager" in json.loads(posted[0])["message"]
    assert f"{port}" not in page.content()
    assert Channel.objects.get().name == "pager"


@pytest.mark.parametrize("model", [Fill, LedgerEntry, Order], ids=lambda model: model.__name__)
def test_its_ledger_rows_are_only_read(open_page: Callable[..., Page], model: type[Model]) -> None:
    row = model._default_manager.order_by("-pk").first()
    assert row is not None
    page = open_page(reverse(f"admin:{_name(model)}_change", args=[row.pk]))

    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    fields = page.locator("#content-main").locator("input:not([type=hidden]), select, textarea")
    expect(fields).to_have_count(0)
    expect(page.get_by_text("Delete", exact=True)).to_have_count(0)


def test_every_list_and_row_can_be_looked_at(desk: Web, callers: Callers) -> None:
    client = Client()
    client.force_login(callers.trader)
    for model in admin.site._registry:
        pages = [reverse(f"admin:{_name(model)}_changelist")]
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            pages.append(reverse(f"admin:{_name(model)}_change", args=[row.pk]))
        for address in pages:
            reply = client.get(address)
            assert reply.status_code == 200, address
            assert b'id="desk-halt"' in reply.content, address


def _name(model: type[Model]) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"
