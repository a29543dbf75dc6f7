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


def _installer() -> list[str]:
    uv = shutil.which("uv") or str(ROOT / ".venv/bin/uv")
    if Path(uv).exists():
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--quiet"]
