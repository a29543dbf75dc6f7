"""Typed readers of the environment: the one place that reads it, and it fails loudly.

A value that cannot be understood stops the program with the variable's name, what was found and
what to write instead. Nothing ever falls back to live trading.
"""

import fcntl
import os
from enum import StrEnum
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parents[2]

# In DATA_DIR: the lock of a running desk, and the variables that its processes share.
DESK_LOCK = "desk.lock"
DESK_FILE = "desk.env"

_env = environ.Env()
_env.smart_cast = False
_TRUE = {"true", "1", "yes", "on"}
_FALSE = {"false", "0", "no", "off"}


class TradingMode(StrEnum):
    """Which exchange is traded on, and with whose money."""

    DEMO = "demo"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


def load_dotenv() -> None:
    """Read ``.env`` beside ``manage.py``; what the environment already has wins.

    ``ENV_FILE`` names another file; empty reads none.
    """
    name = os.environ.get("ENV_FILE", ".env")
    if not name:
        return
    if (ROOT / name).is_file():
        environ.Env.read_env(ROOT / name, overwrite=False)
    _load_running_desk(folder("DATA_DIR", "var"))


def _load_running_desk(data_dir: Path) -> None:
    """Read what a desk that runs in `data_dir` has handed to its processes.

    So `manage.py reconcile` in another terminal finds the demo's exchange, clock and keys. The
    desk holds a lock as long as it lives; what a dead one left behind is not read.
    """
    path = data_dir / DESK_FILE
    if not path.is_file():
        return
    with (data_dir / DESK_LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            environ.Env.read_env(path, overwrite=False)


def text(name: str, default: str | None = None) -> str:
    """Return the variable without surrounding blanks; without a default it must be set."""
    value = _env.str(name, default="" if default is None else default).strip()
    if not value and default is None:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it in the environment or in .env "
            "(`manage.py create_env` writes an example)."
        )
    return value


def flag(name: str, *, default: bool) -> bool:
    """Return a yes/no variable; anything but true/false, 1/0, yes/no, on/off is refused."""
    value = text(name, str(default)).lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, was {value!r}.")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return a whole number within bounds."""
    value = text(name, str(default))
    if not value.isascii() or not value.isdecimal() or not minimum <= int(value) <= maximum:
        raise ImproperlyConfigured(
            f"{name} must be a whole number from {minimum} to {maximum}, was {value!r}."
        )
    return int(value)


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return one of the `allowed` words."""
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(allowed)}, was {value!r}.")
    return value


def words(name: str, default: str) -> list[str]:
    """Return a comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def folder(name: str, default: str) -> Path:
    """Return a folder, relative to the project when not absolute; it need not exist yet."""
    return (ROOT / text(name, default)).resolve()
