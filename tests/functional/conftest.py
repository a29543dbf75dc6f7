"""A desk of its own for a module: database rows, the local exchange, and log-ins."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

from core.keys.manager import forget_credentials
from core.tokens import issue_token
from tests import processes
from tests.conftest import environment_of_children
from tests.floor import Floor, build_floor

_KEYS = ("BINANCE_API_KEY", "BINANCE_API_SECRET")


@dataclass(frozen=True)
class Callers:
    """Users and the text of their tokens."""

    trader: Any
    token: str
    read_only: str
    expired: str
    revoked: str
    disabled: str


@pytest.fixture(scope="module")
def floor(
    committed_database: None, sim_exchange: processes.SimExchange, request: pytest.FixtureRequest
) -> Iterator[Floor]:
    """Return an account that may trade on the local exchange; REST requests reach it too."""
    keys = dict(zip(_KEYS, (sim_exchange.key, sim_exchange.secret), strict=True))
    before = settings.SIM_URL, settings.ACCOUNT_NAME
    settings.SIM_URL, settings.ACCOUNT_NAME = sim_exchange.url, "floor"
    os.environ.update(keys)
    forget_credentials()
    try:
        yield build_floor(sim_exchange)
    finally:
        settings.SIM_URL, settings.ACCOUNT_NAME = before
        for name in _KEYS:
            os.environ.pop(name, None)
        forget_credentials()


@pytest.fixture(scope="module")
def callers(committed_database: None) -> Callers:
    """Make one token of each kind."""
    users, now = get_user_model().objects, timezone.now()
    trader = users.create_superuser("trader", password="a good password")
    gone = users.create_user("gone", is_active=False)

    def token(user: Any, name: str, **options: Any) -> tuple[Any, str]:
        lifetime = options.pop("lifetime", timedelta(days=1))
        return issue_token(
            user=user, name=name, now=now, lifetime=lifetime, actor="test", **options
        )

    revoked, revoked_text = token(trader, "revoked")
    revoked.revoked_at = now
    revoked.save(update_fields=["revoked_at"])
    return Callers(
        trader=trader,
        token=token(trader, "whole")[1],
        read_only=token(trader, "reader", can_write=False)[1],
        expired=token(trader, "old", lifetime=timedelta(seconds=-1))[1],
        revoked=revoked_text,
        disabled=token(gone, "gone")[1],
    )


@pytest.fixture(scope="module")
def web_settings() -> str:
    """Return the settings module of the web server; a module may have its own."""
    return "tradingsite.settings.dev"


@pytest.fixture(scope="module")
def web(
    floor: Floor, redis_url: str, tmp_path_factory: pytest.TempPathFactory, web_settings: str
) -> Iterator[processes.Web]:
    """Run the web server on the module's database and exchange."""
    folder = tmp_path_factory.mktemp("web")
    environment = environment_of_children(redis_url, folder / "var")
    environment |= {
        "SIM_URL": floor.url,
        "ACCOUNT_NAME": "floor",
        "COMPONENT": "web",
        "DJANGO_SETTINGS_MODULE": web_settings,
        # Sessions that a test opens are signed with it.
        "SECRET_KEY": settings.SECRET_KEY,
    }
    with processes.web_server(folder=folder, environment=environment) as running:
        yield running
