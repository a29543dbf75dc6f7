"""The append-only file that lets the exchange die at any moment and go on as if it had not.

Every record is one JSON line, handed to the operating system with a single write before the
exchange answers or publishes: a killed process (kill -9) loses nothing it acknowledged. The disk is
told to sync once a second beside the loop, so a power cut may lose the last second; or with every
record, before the answer, when asked to.

When the file has grown past a bound it is compacted beside the loop: the whole state as it stood at
one moment goes into a new file a little at a time, then what was written meanwhile, and the new
file takes the old one's place in one step. Until then the old one has everything, after it the new
one, so it can be killed at any moment.
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

SYNC_EVERY_S = 1.0
COMPACT_ABOVE = 64 * 2**20
"""A file of so many bytes is compacted, if that is twice what it had after the last time."""
LOOK_EVERY_S = 0.5
RECORDS_AT_ONCE = 100
"""So many are written before the loop lets others run."""

Records = Iterable[dict[str, Any]]


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a journal; a torn last line, the mark of a kill, is left out.

    Raises:
        ValueError: when a line before the last is broken; this is not a journal then.
    """
    if not path.exists():
        return
    lines = path.read_bytes().split(b"\n")
    last = len(lines) - 1
    for number, line in enumerate(lines):
        if not line:
            continue
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError as error:
            if number == last:
                return
            raise ValueError(f"{path} line {number + 1} is not a journal record") from error


class Journal:
    """Writes records to `path`, starting with a compact copy of what was read back.

    Args:
        path: the state file.
        records: the whole state as records; they replace the old file in one step.
        sync_every_s: seconds between syncs of the disk; 0 syncs with every record.
        compact_above: bytes from which on the file is compacted while it runs.
    """

    def __init__(
        self,
        path: Path,
        records: Records,
        *,
        sync_every_s: float = SYNC_EVERY_S,
        compact_above: int = COMPACT_ABOVE,
    ) -> None:
        self.path = path
        self._compact_above = compact_above
        self._meanwhile: bytearray | None = None
        self._syncing = asyncio.Lock()
        self._sync_every_s = sync_every_s
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fresh = path.with_name(path.name + ".new")
        self._file = self._open_fresh()
        for part in _parts(records):
            _write(self._file, part)
        self._take_place()
        self._synced = True

    def _open_fresh(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
        return os.open(self._fresh, flags, 0o600)

    def _take_place(self) -> None:
        """Put the new file, whole and synced, into the old one's place."""
        os.fsync(self._file)
        self._fresh.replace(self.path)
        self._sync_folder()
        self._size = os.fstat(self._file).st_size
        self._compact_at = max(self._compact_above, 2 * self._size)

    def _sync_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def write(self, record: dict[str, Any]) -> None:
        """Append one record; it survives the process when this returns.

        Raises:
            OSError: the disk is full or gone; nothing may be acknowledged then.
        """
        line = orjson.dumps(record) + b"\n"
        _write(self._file, line)
        self._size += len(line)
        if self._meanwhile is not None:
            self._meanwhile += line
        if self._sync_every_s:
            self._synced = False
        else:
            os.fsync(self._file)

    async def keep_synced(self) -> None:
        """Sync the file now and then, beside the loop, until cancelled."""
        while True:
            await asyncio.sleep(self._sync_every_s or SYNC_EVERY_S)
            if not self._synced:
                self._synced = True
                async with self._syncing:
                    await asyncio.to_thread(os.fsync, self._file)

    async def keep_compact(self, state: Callable[[], Records]) -> None:
        """Compact the file whenever it has grown past its bound, until cancelled.

        Args:
            state: takes hold of the whole state at once; its records are read by and by.
        """
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._size > self._compact_at:
                await self.compact(state)

    async def compact(self, state: Callable[[], Records]) -> None:
        """Write the state into a new file, what comes meanwhile behind it, and swap the files."""
        records, fresh = state(), self._open_fresh()
        self._meanwhile = bytearray()
        try:
            for part in _parts(records):
                _write(fresh, part)
                await asyncio.sleep(0)
            await asyncio.to_thread(os.fsync, fresh)
            async with self._syncing:
                _write(fresh, self._meanwhile)
                fresh, self._file = self._file, fresh
                self._take_place()
        finally:
            self._meanwhile = None
            os.close(fresh)

    def close(self) -> None:
        """Sync and close."""
        os.fsync(self._file)
        os.close(self._file)


def _parts(records: Records) -> Iterator[bytes]:
    """Yield the records as lines, many at once."""
    source = iter(records)
    while part := list(islice(source, RECORDS_AT_ONCE)):
        yield b"".join(orjson.dumps(record) + b"\n" for record in part)


def _write(file: int, data: bytes | bytearray) -> None:
    written = os.write(file, data)
    while written < len(data):
        written += os.write(file, data[written:])
