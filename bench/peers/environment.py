"""Environments of other people's programs: one folder each, none of it in our own .venv.

Peers of the bench lie below DATA_DIR/peers; the tests keep theirs below var/peers, as the suite's
DATA_DIR is thrown away with every run.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import system
from bench.servers import ROOT

FREQTRADE = "freqtrade==2026.9"
_NOBODY_THERE = re.compile(
    r"dns error|failed to lookup address|error sending request|Temporary failure in name"
    r"|Failed to establish a new connection|Cannot connect to proxy|ConnectTimeout"
    r"|Network is unreachable",
    re.IGNORECASE,
)


class Uninstallable(RuntimeError):
    """The installer refused; the message ends with its last words."""


class Unreachable(Uninstallable):
    """No package registry answered."""


def install(name: str, *requirements: str) -> Path:
    """Install packages of a peer, once; return the folder to put on its path.

    Raises:
        Uninstallable: The package registry cannot be reached, or has no such version.
    """
    folder = _peers() / name
    note = folder / "installed.txt"
    wanted = "\n".join(requirements)
    if note.exists() and note.read_text() == wanted:
        return folder
    system.say(f"installing {' '.join(requirements)} into {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    _run(name, [*_installer(Path(sys.executable)), "--target", str(folder), *requirements])
    note.write_text(wanted)
    return folder


def own_python(name: str, *requirements: str) -> Path | None:
    """Return the Python of an environment with a peer's packages; None: it cannot be installed.

    A peer that brings half a hundred packages of its own, or needs a newer Python than ours.
    """
    try:
        return make(_peers() / f"{name}-own", [requirements], python=_newest_python())
    except Uninstallable as reason:
        system.say(f"{name} cannot be installed here: {str(reason).splitlines()[-1]}")
        return None


def make(
    folder: Path,
    steps: Sequence[Sequence[str]],
    *,
    python: str = sys.executable,
    variables: dict[str, str] | None = None,
) -> Path:
    """Return the Python of the environment in `folder`, made at the first call.

    Args:
        folder: Where it lies; two processes that want it at once wait for each other.
        steps: What the installer is given, one call after the other.
        python: The Python to make it with.
        variables: More environment variables of the installer, for packages that are built.

    Raises:
        Unreachable: No package registry answered.
        Uninstallable: The registry has no such version, or a package could not be built.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    own, note = folder / "bin/python", folder / "installed.txt"
    wanted = "\n".join(" ".join(step) for step in steps)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if note.exists() and note.read_text() == wanted:
            return own
        system.say(f"installing {wanted} into {folder}")
        _run(folder.name, [*_maker(python), "--clear", str(folder)])
        # What is built without isolation finds its build tools on the path.
        path = os.pathsep.join((str(own.parent), os.environ["PATH"]))
        for step in steps:
            _run(folder.name, [*_installer(own), *step], {"PATH": path} | (variables or {}))
        note.write_text(wanted)
        return own


def _run(name: str, command: list[str], variables: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | (variables or {}),
    )
    if done.returncode:
        kind = Unreachable if _NOBODY_THERE.search(done.stderr) else Uninstallable
        raise kind(f"{name} could not be installed:\n{done.stderr[-2000:]}")


def _peers() -> Path:
    return (ROOT / os.environ.get("DATA_DIR", "var")).resolve() / "peers"


def _newest_python() -> str:
    """Return the newest Python that all peers support: NautilusTrader needs 3.12 or newer."""
    for name in ("python3.13", "python3.12"):
        path = shutil.which(name)
        if (
            path
            and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
        ):
            return path
    return sys.executable


def _maker(python: str) -> list[str]:
    """Return what makes an environment: uv where there is one, it needs no pip in there."""
    uv = _uv()
    return [uv, "venv", "--quiet", "--python", python] if uv else [python, "-m", "venv"]


def _installer(python: Path) -> list[str]:
    uv = _uv()
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", str(python)]
    return [str(python), "-m", "pip", "install", "--quiet"]


def _uv() -> str | None:
    uv = shutil.which("uv") or str(ROOT / ".venv/bin/uv")
    return uv if Path(uv).exists() else None
