"""A backup is a folder with a manifest: complete under its name, or not there."""

import hashlib
import json
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import InvalidInput

MANIFEST = "manifest.json"
_CHUNK = 1 << 20


def scratch_for(root: Path, now: datetime) -> tuple[Path, Path]:
    """Return the folder to write into and the name it gets when it is complete.

    Raises:
        InvalidInput: A backup of this second is there already.
    """
    target = root / now.strftime("%Y-%m-%dT%H%M%SZ")
    if target.exists():
        raise InvalidInput(f"{target} is there already; wait a second and run it again.")
    scratch = root / f".{target.name}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True, mode=0o700)
    return scratch, target


def seal(scratch: Path, target: Path, facts: dict[str, Any]) -> None:
    """Write the manifest with the hash of every file, flush all to the disk, and rename."""
    files = {str(path.relative_to(scratch)): _entry(path) for path in _files(scratch)}
    content = json.dumps({**facts, "files": files}, indent=1, sort_keys=True)
    (scratch / MANIFEST).write_text(content + "\n")
    for path in (*_files(scratch), scratch):
        _flush(path)
    scratch.rename(target)
    _flush(target.parent)


def newest(root: Path) -> Path:
    """Return the newest complete backup.

    Raises:
        InvalidInput: There is none.
    """
    found = sorted(path.parent for path in root.glob(f"[0-9]*/{MANIFEST}"))
    if not found:
        raise InvalidInput(f"There is no backup below {root}; make one: manage.py backup")
    return found[-1]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Check every file of a backup against its manifest and return the manifest.

    Raises:
        InvalidInput: Something is missing, altered or foreign; the message names the file.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InvalidInput(f"{folder} is no backup: it holds no {MANIFEST}.")
    manifest: dict[str, Any] = json.loads(path.read_text())
    found = {str(p.relative_to(folder)): p for p in _files(folder) if p != path}
    listed = manifest["files"]
    for name in sorted(found.keys() ^ listed.keys()):
        what = "is missing" if name in listed else "is not in the manifest"
        raise InvalidInput(f"{folder / name} {what}: the backup is not complete.")
    for name, file in found.items():
        if _entry(file) != listed[name]:
            raise InvalidInput(f"{file} was altered after the backup: its hash differs.")
    return manifest


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _entry(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
