"""Markers by folder, and the real services that tests run against.

``DATABASE_URL`` chooses the database (a throw-away SQLite file without it). Redis is a Valkey
server of our own, one for each test process; the local exchange is a process of its own.
"""

import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import processes

# How long an example takes is the machine's business: on a busy one it proves nothing.
settings.register_profile(
    "patient", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")

TESTS = Path(__file__).resolve().parent
FOLDER_MARKERS = ("unit", "integration", "functional", "architecture", "faults")
ON_DEMAND = {
    "live": "needs the internet; run with -m live",
    "clients": "installs a whole program; run by make test-clients",
}
SERVICE_MARKERS = ("integration", "functional", "browser", "faults")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark every test with its folder; leave out what has to be asked for."""
    asked = config.getoption("markexpr")
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in FOLDER_MARKERS:
            item.add_marker(folder)
        for name, reason in ON_DEMAND.items():
            if item.get_closest_marker(name) and name not in asked:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _no_outside_network(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections that would leave this machine, unless the test is marked `live`."""
    if request.node.get_closest_marker("live"):
        return
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
            raise OutsideNetwork(f"a test tried to reach {address[0]}; mark it `live` if it must")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _fresh_rules() -> None:
    """Forget the instruments of the test before: a rolled-back database gives ids out again."""
    if selectors := sys.modules.get("markets.selectors"):
        selectors.forget_rules()


@pytest.fixture(autouse=True)
def _fresh_redis_client() -> None:
    """Let no test wait out the pause after a failure that another one provoked."""
    if client := sys.modules.get("core.redis_client"):
        client._pause_until = 0.0


class OutsideNetwork(AssertionError):
    """A test tried to leave this machine."""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a Valkey server of this test process; settings point to it."""
    folder = tmp_path_factory.mktemp("valkey")
    child, port = processes.start_valkey(folder=folder, environment=os.environ)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        _point_settings_to(url)
        yield url
    finally:
        child.stop()


def _point_settings_to(redis_url: str) -> None:
    """Make Django, Channels and Celery of this process use the server."""
    from channels.layers import channel_layers
    from django.conf import settings

    from tradingsite.celery import app

    os.environ["REDIS_URL"] = redis_url
    settings.REDIS_URL = redis_url
    settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]["address"] = redis_url
    channel_layers.backends.clear()
    app.conf.broker_url = redis_url


@pytest.fixture(autouse=True)
def _clean_redis(request: pytest.FixtureRequest) -> None:
    """Give tests that may use Redis an empty one."""
    if not any(request.node.get_closest_marker(name) for name in SERVICE_MARKERS):
        return
    if "committed_database" in request.fixturenames:
        return  # processes of the module are using it; it begins empty all the same
    import redis

    with redis.Redis.from_url(request.getfixturevalue("redis_url")) as client:
        client.flushall()


@pytest.fixture
def child_environment(transactional_db: None, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """Return the environment for a process of ours that works on this test's database."""
    return environment_of_children(redis_url, tmp_path / "var")


def environment_of_children(redis_url: str, data_dir: Path) -> dict[str, str]:
    """Return the environment of a process that shares this test process's database."""
    from django.db import connection

    database = connection.settings_dict
    if connection.vendor == "sqlite":
        database_url = f"sqlite:///{database['NAME']}"
    else:
        host = database["HOST"].replace("/", "%2F")
        login = database["USER"] + (f":{database['PASSWORD']}" if database["PASSWORD"] else "")
        port = f":{database['PORT']}" if database["PORT"] else ""
        database_url = f"postgres://{login}@{host}{port}/{database['NAME']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings.dev",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(data_dir),
        "ENV_FILE": "",
    }


@pytest.fixture(scope="module")
def committed_database(
    django_db_setup: None, django_db_blocker: Any, redis_url: str
) -> Iterator[None]:
    """Let a module share rows that other processes see; they are gone after its last test.

    The tests of such a module ask for no other database fixture.
    """
    import redis
    from django.core.management import call_command
    from django.db import connections
    from django.test.utils import teardown_databases

    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    with django_db_blocker.unblock():
        made = _make_missing_databases()
        yield
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        # Beside playwright's loop Django keeps a connection that nobody else would close.
        connections.close_all()
        if made:
            teardown_databases(made, verbosity=0)


def _make_missing_databases() -> Any:
    """Make the test database when no chosen test asked pytest-django for it."""
    import environ
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_databases

    given = environ.Env.db_url_config(settings.DATABASE_URL)["NAME"]
    if str(connection.settings_dict["NAME"]) != str(given):
        return None
    return setup_databases(verbosity=0, interactive=False)


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[Callable[..., processes.Child]]:
    """Return ``start(name, command, environment)``; what it started is ended after the test."""
    started: list[processes.Child] = []

    def start(
        name: str, command: list[str], environment: dict[str, str] | None = None
    ) -> processes.Child:
        child = processes.start(
            name, command, folder=tmp_path / "logs", environment=environment or os.environ
        )
        started.append(child)
        return child

    yield start
    for child in reversed(started):
        child.stop()


@pytest.fixture(scope="module")
def sim_exchange(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[processes.SimExchange]:
    """Run the local exchange for a module; ``SIM_OPTIONS`` in the module are its options."""
    options: tuple[str, ...] = getattr(request.module, "SIM_OPTIONS", ("--generate",))
    folder = tmp_path_factory.mktemp("simexchange")
    with processes.sim_exchange(*options, folder=folder, environment=os.environ) as running:
        yield running


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of recorded market data, or skip where there is none."""
    folder = Path(os.environ.get("SHARED_DATA", processes.ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no recorded market data on this machine (SHARED_DATA)")
    return folder


@pytest.fixture(scope="session")
def browser_executable() -> str:
    """Return the path of an installed chromium, or skip."""
    found: Any = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("chromium is not installed")
    return str(found)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Let tests that commit be cleaned up: emptying append-only tables is refused otherwise.

    The tables stay append-only outside of the flush that ends such a test.
    """
    from django.core.management.commands import flush

    from tests.append_only import unlocked

    original = flush.Command.handle

    def handle(self: Any, **options: Any) -> None:
        with unlocked():
            original(self, **options)

    flush.Command.handle = handle  # type: ignore[method-assign]
    yield
    with django_db_blocker.unblock():
        _hang_up()


def _hang_up() -> None:
    """End this process's other sessions, so that the database can be dropped.

    Beside playwright's loop Django opens connections of its own, which nobody can reach later.
    """
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
