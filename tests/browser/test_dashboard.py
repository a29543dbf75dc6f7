"""The dashboard as a person sees it, on a desk and on a phone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from alerts.services.raising import raise_alert
from core import broadcast
from risk.models import TradingStateChange
from risk.services.trading_state import read_state, rearm, start_trading
from tests.browser.conftest import DESKTOP, PHONE
from tests.floor import Floor

SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")
pytestmark = pytest.mark.browser
# Of the decisions' arrows and of fills, as the chart draws them.
ACCENT, UP, DOWN = (90, 162, 255), (47, 191, 143), (229, 86, 109)
_HAS_COLOR = """(element, [red, green, blue]) => {
  const has = (canvas) => {
    if (!canvas.width || !canvas.height) return false;
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === red && data[i + 1] === green && data[i + 2] === blue) return true;
    return false;
  };
  return [...element.querySelectorAll('canvas')].some(has);
}"""


def draws(page: Page, chart: str, color: tuple[int, int, int]) -> bool:
    return bool(page.locator(chart).evaluate(_HAS_COLOR, list(color)))


def is_as_wide_as_the_screen(page: Page) -> bool:
    return bool(page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"))


def loaded(page: Page) -> Page:
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#decisions tbody tr").nth(10)).to_be_attached()
    page.wait_for_function("document.querySelector('#equity canvas').width > 0")
    return page


def test_it_shows_the_desk(
    open_page: Callable[..., Page], keep: Callable[[Page, str], Path]
) -> None:
    page = loaded(open_page("/", DESKTOP))

    expect(page.locator("#mode")).to_have_text("demo")
    expect(page.locator("#level")).to_have_text("ACTIVE")
    expect(page.locator("#tiles")).to_contain_text("Equity")
    assert draws(page, "#equity", ACCENT)
    for color in (ACCENT, UP, DOWN):
        assert draws(page, "#candles", color)
    assert draws(page, "#outcomes", ACCENT)
    expect(page.locator("#positions tbody tr")).to_have_count(2)
    expect(page.locator("#positions")).to_contain_text("BTCUSDT")
    expect(page.locator("#decisions")).to_contain_text("min edge")
    expect(page.locator("#decisions")).to_contain_text("mean reversion")
    expect(page.locator("#fills tbody tr").first).to_contain_text("BUY")
    expect(page.locator("#prediction-note")).to_contain_text("judged so far")
    expect(page.locator("#components .good")).to_have_count(8)
    expect(page.locator("#components .bad")).to_have_text("worker.train failing")
    expect(page.locator("#alerts")).to_contain_text("One order differs")
    expect(page.locator("#ohlc")).to_contain_text("C ")
    keep(page, "dashboard")

    page.get_by_role("tab", name="ETHUSDT").click()

    expect(page.locator("#symbol-note")).to_contain_text("Model verdict: no skill")
    expect(page.locator("#prediction-note")).to_contain_text("ETHUSDT")


def test_it_follows_what_happens(open_page: Callable[..., Page], floor: Floor) -> None:
    page = loaded(open_page("/"))

    raise_alert(
        code="ODD", severity="WARNING", message="<b>It moves</b>", context={}, now=floor.clock.now()
    )
    assert broadcast.flush()

    expect(page.locator("#alerts")).to_contain_text("<b>It moves</b>")


def test_it_halts_with_one_press_and_one_confirmation(
    open_page: Callable[..., Page], floor: Floor
) -> None:
    page = loaded(open_page("/", PHONE))
    page.locator("#halt").click()
    page.locator("#halt-reason").fill("prices look odd")
    page.locator("#halt-confirm").click()

    expect(page.locator("#halt")).to_have_text("Trading is halted")
    expect(page.locator("#level")).to_contain_text("CANCEL")
    change = TradingStateChange.objects.latest("epoch")
    assert (read_state().level.value, change.actor) == ("CANCEL", "trader")
    assert change.reason == "prices look odd"
    rearm(reason="test", actor="tester", now=floor.clock.now())
    start_trading(reason="test", actor="tester", now=floor.clock.now())
    assert broadcast.flush()
    expect(page.locator("#halt")).to_be_enabled()


def test_it_does_not_halt_without_a_reason(open_page: Callable[..., Page]) -> None:
    page = loaded(open_page("/"))
    page.locator("#halt").click()
    page.locator("#halt-confirm").click()
    expect(page.locator("#halt-dialog")).to_be_visible()
    page.get_by_role("button", name="Back").click()

    expect(page.locator("#halt-dialog")).to_be_hidden()
    assert read_state().level.value == "ACTIVE"


def test_it_fits_a_phone(open_page: Callable[..., Page], keep: Callable[[Page, str], Path]) -> None:
    page = loaded(open_page("/", PHONE))

    assert is_as_wide_as_the_screen(page)
    expect(page.locator("#halt")).to_be_in_viewport()
    expect(page.locator("#decisions td.why").first).to_be_visible()
    box: Any = page.locator("#decisions td.why").first.bounding_box()
    assert box["x"] + box["width"] <= PHONE["width"]
    keep(page, "dashboard-phone")


def test_it_comes_back_when_the_connection_is_lost(
    open_page: Callable[..., Page], floor: Floor
) -> None:
    page = loaded(open_page("/"))

    page.context.set_offline(True)
    page.evaluate("() => window.desk.live.socket.close()")
    expect(page.locator("#connection")).to_have_text("reconnecting")
    raise_alert(
        code="GAP", severity="ERROR", message="meanwhile", context={}, now=floor.clock.now()
    )
    page.context.set_offline(False)

    expect(page.locator("#connection")).to_have_text("live")
    expect(page.locator("#alerts")).to_contain_text("meanwhile")


def test_its_api_can_be_read_in_the_browser(
    open_page: Callable[..., Page], keep: Callable[[Page, str], Path]
) -> None:
    page = open_page("/")
    page.goto(page.url + "docs/")

    expect(page.locator("#swagger-ui")).to_contain_text("/trading/order")
    expect(page.locator(".opblock")).not_to_have_count(0)
    keep(page, "api")
