"""A filled desk behind a real web server, and a chromium that looks at it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.factories.desk import fill_desk, show_life
from tests.floor import Floor
from tests.functional.conftest import Callers, callers, floor, web
from tests.processes import Web

__all__ = ["callers", "floor", "web"]

PASSWORD = "a good password"
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
_ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser(browser_executable: str) -> Iterator[Browser]:
    """Run chromium. Playwright keeps a loop on this thread, which Django takes for async code."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        running = playwright.chromium.launch(executable_path=browser_executable, args=_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def web_settings() -> str:
    return "tests.browser.web_settings"


@pytest.fixture(scope="module")
def desk(browser: Browser, floor: Floor, callers: Callers, web: Web) -> Web:
    """Return the web server of a desk with a day behind it."""
    fill_desk(floor, owner=callers.trader)
    return web


@pytest.fixture
def open_page(desk: Web, browser: Browser, floor: Floor) -> Iterator[Callable[..., Page]]:
    """Return ``open_page(path, size)``: a page in a profile of its own, logged in.

    After the test: no error in a console, no request to another host.
    """
    troubles: list[str] = []
    contexts = []
    show_life(floor.clock.now())

    def opened(
        path: str,
        size: dict[str, int] = DESKTOP,
        *,
        lands_on: str | None = None,
        may_be_refused: bool = False,
    ) -> Page:
        context = browser.new_context(
            viewport=size, is_mobile=size is PHONE, has_touch=size is PHONE
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        ignored = "status of 400" if may_be_refused else None
        page.on("console", lambda message: _note_console(message, troubles, ignored))
        page.on("pageerror", lambda error: troubles.append(f"page error: {error}"))
        page.on("request", lambda request: _note_foreign(request.url, desk.port, troubles))
        page.goto(f"{desk.url}{path}")
        page.get_by_label("Username").fill("trader")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{desk.url}{lands_on or path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[Page, str], Path]:
    """Return ``keep(page, name)``: store a screenshot where ``SCREENSHOTS`` says."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def store(page: Page, name: str) -> Path:
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return store


def _note_console(message: Any, troubles: list[str], ignored: str | None) -> None:
    if ignored and ignored in message.text:
        return
    if message.type in ("error", "warning"):
        troubles.append(f"console {message.type}: {message.text}")


def _note_foreign(url: str, port: int, troubles: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme in ("data", "blob"):
        return
    if (parts.hostname, parts.port) != ("127.0.0.1", port):
        troubles.append(f"request to {url}")
