"""The folders of recorded sessions: what one begins with, what it ends with, and which to keep."""

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from core.errors import NotFound
from core.recording.journal import size_of
from core.recording.recorder import MANIFEST
from tradingsite.backups import databases
from tradingsite.recording import dumps

FORMAT = 1
BEGIN, END, MODELS = "begin", "end.rows.gz", "models"
_HANDED_ON = ("TRADING_MODE", "ACCOUNT_NAME", "CLOCK", "SIM_URL", "PIPELINE_WORKERS")


def begin(folder: Path) -> None:
    """Keep the database and the models as they are; from then on every process records.

    Nothing may trade meanwhile. The oldest recordings beside it go until the rest is within
    ``RECORD_LIMIT_MB``.
    """
    _make_room(folder.parent, limit_bytes=settings.RECORD_LIMIT_MB * 1_000_000, but=folder)
    (folder / BEGIN).mkdir(parents=True, exist_ok=True)
    databases.dump(connection, folder / BEGIN)
    link_models(folder / MODELS)
    manifest = {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(),
        "vendor": connection.vendor,
        "environment": {name: str(getattr(settings, name)) for name in _HANDED_ON},
    }
    partial = folder / f"{MANIFEST}.part"
    partial.write_text(json.dumps(manifest, indent=2) + "\n")
    partial.rename(folder / MANIFEST)


def end(folder: Path) -> int:
    """Keep what the session came to; return the number of rows. Nothing may trade meanwhile."""
    read_manifest(folder)
    link_models(folder / MODELS)
    return dumps.write(folder / END)


def link_models(target: Path) -> None:
    """Have the stored models in the recording too, as links: their files never change."""
    source = Path(settings.DATA_DIR) / "models"
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    if Path(target).exists():
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a session says of itself.

    Raises:
        NotFound: The folder holds no session, or one of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFound(f"{folder} holds no recorded session: {MANIFEST} is missing", folder=folder)
    manifest: dict[str, Any] = json.loads(path.read_text())
    if manifest.get("format") != FORMAT:
        raise NotFound(f"{folder} is of format {manifest.get('format')}, needed is {FORMAT}")
    return manifest


def newest(parent: Path) -> Path | None:
    """Return the last recorded session; None: there is none."""
    found = sorted(path.parent for path in parent.glob(f"*/{MANIFEST}"))
    return found[-1] if found else None


def _make_room(parent: Path, *, limit_bytes: int, but: Path) -> None:
    others = sorted(path for path in parent.glob("*") if path.is_dir() and path != but)
    while others and size_of(parent) > limit_bytes // 2:
        shutil.rmtree(others.pop(0))
