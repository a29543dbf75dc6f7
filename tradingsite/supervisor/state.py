"""What a desk's folder keeps between two runs: generated secrets and chosen ports."""

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

from core.errors import NeedsOperator


@dataclass(kw_only=True)
class DeskState:
    """Generated once per data folder, then kept: the same log-in works tomorrow."""

    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    admin_user: str = "admin"
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    api_token: str = field(default_factory=lambda: f"ts_{secrets.token_urlsafe(32)}")
    sim_key: str = field(default_factory=lambda: "SIM" + secrets.token_hex(29))
    sim_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    broker_port: int = 0
    broker_password: str = field(default_factory=lambda: secrets.token_urlsafe(16))

    @classmethod
    def load(cls, path: Path) -> "DeskState":
        """Read the state, or make it; the file is readable by its owner alone."""
        if path.exists():
            return cls(**json.loads(path.read_text()))
        state = cls(broker_port=free_port())
        write_private(path, json.dumps(asdict(state), indent=1))
        return state


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; a reader sees the old or the new one, whole."""
    temporary = path.with_name(f"{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def free_port() -> int:
    """Return a port on the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int, *, variable: str) -> None:
    """Make sure that nobody listens on `port`.

    Raises:
        NeedsOperator: Somebody does; the message names the variable to change.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise NeedsOperator(
                f"Port {port} is busy. Stop what uses it, or choose another: "
                f"{variable}={port + 1} make demo",
                variable=variable,
                port=port,
            ) from error
