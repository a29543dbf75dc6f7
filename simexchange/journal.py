"""The append-only file that lets the exchange die at any moment and go on as if it had not.

Every record is one JSON line, handed to the operating system with a single write before the
exchange answers or publishes: a killed process (kill -9) loses nothing it acknowledged. The disk is
told to sync once a second beside the loop, so a power cut may lose the last second; or with every
record, before the answer, when asked to.
"""

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

SYNC_EVERY_S = 1.0


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
    """

    def __init__(
        self,
        path: Path,
        records: Iterable[dict[str, Any]],
        *,
        sync_every_s: float = SYNC_EVERY_S,
    ) -> None:
        self.path = path
        self._sync_every_s = sync_every_s
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        with fresh.open("wb") as target:
            for record in records:
                target.write(orjson.dumps(record) + b"\n")
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(path)
        self._sync_folder()
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._synced = True

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
        written = os.write(self._file, line)
        while written < len(line):
            written += os.write(self._file, line[written:])
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
                await asyncio.to_thread(os.fsync, self._file)

    def close(self) -> None:
        """Sync and close."""
        os.fsync(self._file)
        os.close(self._file)
