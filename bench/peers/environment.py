"""Environments of the peers: one folder each below DATA_DIR, none of it in our own .venv."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench import system
from bench.servers import ROOT


def install(name: str, *requirements: str) -> Path:
    """Install packages of a peer, once; return the folder to put on its path.

    Raises:
        RuntimeError: The package registry cannot be reached, or has no such version.
    """
    folder = (ROOT / os.environ.get("DATA_DIR", "var")) / "peers" / name
    note = folder / "installed.txt"
    wanted = "\n".join(requirements)
    if note.exists() and note.read_text() == wanted:
        return folder
    system.say(f"installing {' '.join(requirements)} into {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run(
        [*_installer(), "--target", str(folder), *requirements],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{name} could not be installed:\n{done.stderr[-2000:]}")
    note.write_text(wanted)
    return folder


def own_python(name: str, *requirements: str) -> Path | None:
    """Return the Python of an environment with a peer's packages; None: it cannot be installed.

    A peer that brings half a hundred packages of its own, or needs a newer Python than ours.
    """
    folder = (ROOT / os.environ.get("DATA_DIR", "var")).resolve() / "peers" / f"{name}-own"
    python, note = folder / "bin/python", folder / "installed.txt"
    wanted = "\n".join(requirements)
    if note.exists() and note.read_text() == wanted:
        return python
    system.say(f"installing {' '.join(requirements)} into {folder}")
    subprocess.run([_newest_python(), "-m", "venv", "--clear", str(folder)], check=True)
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *requirements],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        system.say(f"{name} cannot be installed here: {last[0]}")
        return None
    note.write_text(wanted)
    return python


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


def _installer() -> list[str]:
    uv = shutil.which("uv") or str(ROOT / ".venv/bin/uv")
    if Path(uv).exists():
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet"]
