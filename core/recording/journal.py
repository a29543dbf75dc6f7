"""Files of a recorded session: lines that can be told from torn ones, rotated and compressed.

Each process writes files of its own, ``NAME-PID-NUMBER.jsonl``; a full one is compressed beside
its successor. A line is the CRC-32 of its JSON, a blank, the JSON. Nothing is synced to the disk
line by line: a killed process loses nothing that it wrote, a power cut the last seconds, and a
torn last line is recognised.
"""

import contextlib
import gzip
import json
import os
import shutil
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import TradingError

SEGMENT_BYTES = 4 * 1024 * 1024
_CHECK_EVERY_BYTES = 256 * 1024
STOPPED = "STOPPED"  # in a session's folder: it reached its size, and nothing more is recorded


class RecordingDamaged(TradingError):
    """A line within a file was changed or lost."""

    code = "RECORDING_DAMAGED"


def to_line(record: dict[str, Any]) -> bytes:
    """Return a record as a line with its checksum.

    What is not JSON is named rather than refused: recording must never stop anybody's work.
    """
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=True, default=repr).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


class Journal:
    """Appends records of one process. Safe for its threads."""

    def __init__(self, folder: Path, *, name: str, limit_bytes: int) -> None:
        self._folder = folder
        self._name = f"{name or 'process'}-{os.getpid()}"
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._number = 0
        self._written = self._unchecked = 0
        self._file = -1
        self.is_stopped = False

    def write(self, record: dict[str, Any]) -> None:
        """Append one record: one system call, no sync."""
        line = to_line(record)
        with self._lock:
            if self.is_stopped:
                return
            if self._file < 0 or self._written + len(line) > SEGMENT_BYTES:
                self._rotate()
            os.write(self._file, line)
            self._written += len(line)
            self._unchecked += len(line)
            if self._unchecked > _CHECK_EVERY_BYTES:
                self._unchecked = 0
                self._stop_when_full()

    def _rotate(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            full = self._path()
            threading.Thread(target=_compress, args=(full,), daemon=True).start()
            self._number += 1
        self._file = os.open(self._path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._written = 0

    def _path(self) -> Path:
        return self._folder / f"{self._name}-{self._number:05d}.jsonl"

    def _stop_when_full(self) -> None:
        """End the whole session's recording at its limit: a part without its start is no use."""
        stop = self._folder / STOPPED
        if stop.exists() or size_of(self._folder) > self._limit_bytes:
            stop.touch()
            self.is_stopped = True


def size_of(folder: Path) -> int:
    """Return the bytes of all files of a folder and below."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # compressed meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total


def _compress(path: Path) -> None:
    partial = path.with_name(path.name + ".part")
    with path.open("rb") as source, gzip.open(partial, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target)
    partial.rename(path.with_name(path.name + ".gz"))
    path.unlink()


def read_files(folder: Path) -> Iterator[tuple[str, list[dict[str, Any]], bool]]:
    """Yield each file's name, its records and whether its last line was torn, oldest first.

    Raises:
        RecordingDamaged: A line that is not the last one of its process fails its checksum.
    """
    names: dict[str, Path] = {}
    for path in sorted(folder.glob("*.jsonl*")):
        if path.suffix != ".part":
            # Killed between compressing and removing, both are there and say the same.
            names.setdefault(path.name.removesuffix(".gz"), path)
    for name, path in sorted(names.items()):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        records, is_torn = _parse(data, name)
        yield name, records, is_torn


def _parse(data: bytes, name: str) -> tuple[list[dict[str, Any]], bool]:
    lines = data.split(b"\n")
    tail = lines.pop()
    records: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        checksum, _, text = line.partition(b" ")
        if checksum != b"%08x" % zlib.crc32(text):
            if number == len(lines) and not tail:
                return records, True
            raise RecordingDamaged(f"{name}, line {number}: not as it was written", line=number)
        records.append(json.loads(text))
    return records, bool(tail)
