"""Our web server, started as the desk starts it, with the bare peers beside our addresses."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bench import servers, system


@dataclass(frozen=True, slots=True, kw_only=True)
class Website:
    """A running server and a token that it accepts."""

    port: int
    token: str
    pid: int

    def cpu_s(self) -> float:
        """Return the processor seconds that the server has used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def socket_url(self) -> str:
        """Address of the WebSockets, without a path."""
        return f"ws://127.0.0.1:{self.port}"


@contextmanager
def running_website(folder: Path, *, on_postgres: bool = True) -> Iterator[Website]:
    """Run the server on a PostgreSQL where one is wanted and installed, else on SQLite."""
    with ExitStack() as stack:
        database = stack.enter_context(servers.postgres(folder)) if on_postgres else None
        environment = system.set_up(
            folder,
            DJANGO_SETTINGS_MODULE="bench.web.settings",
            REDIS_URL=stack.enter_context(servers.broker(folder)),
            **({"DATABASE_URL": database} if database else {}),
        )
        token = _issue_token()
        port = servers.free_port()
        web = stack.enter_context(
            servers.program("web", _command(port), folder=folder, environment=environment)
        )
        web.wait(lambda: servers.answers(f"http://127.0.0.1:{port}/healthz"))
        yield Website(port=port, token=token, pid=web.process.pid)


def _command(port: int) -> list[str]:
    from tradingsite.supervisor import plan

    specs = {spec.name: spec for spec in plan.system(port=port, with_web=True)}
    return [*specs["web"].argv[:-1], "bench.web.asgi:application"]


def _issue_token() -> str:
    from django.contrib.auth import get_user_model

    from core.tokens import issue_token

    user = get_user_model().objects.create_user("bench")
    _, token = issue_token(
        user=user,
        name="bench",
        now=datetime.now(UTC),
        lifetime=timedelta(days=1),
        actor="bench",
        can_write=False,
    )
    return token
