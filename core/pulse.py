"""A sign that a process goes on, for whoever looks at it from outside: a file that is touched.

Needs neither the database nor the broker, and no room on the disk once the file is there. The
standard library alone: the supervisor reads it.
"""

import logging
import os
from pathlib import Path

logger = logging.getLogger(__name__)

FOLDER = "pulse"  # in DATA_DIR


class Pulse:
    """The pulse of this process. The file tells whose it is, so that an old one deceives nobody.

    Args:
        data_dir: The folder ``DATA_DIR``.
        name: Of the process.
    """

    def __init__(self, data_dir: Path, name: str) -> None:
        self._path = data_dir / FOLDER / name
        self._is_ours = self._has_failed = False

    def beat(self) -> None:
        """Show that this process goes on. Never raises: what cannot be shown is logged once."""
        try:
            self._touch()
        except OSError as error:
            if not self._has_failed:
                logger.warning("pulse.not_shown path=%s error=%s", self._path, error)
            self._has_failed = True
        else:
            self._has_failed = False

    def _touch(self) -> None:
        if self._is_ours:
            try:
                os.utime(self._path)
            except FileNotFoundError:
                self._is_ours = False
        if not self._is_ours:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(str(os.getpid()))
            self._is_ours = True


def read(data_dir: Path, name: str, *, pid: int) -> bytes:
    """Return a text that every beat changes; empty as long as the process has not shown any."""
    path = data_dir / FOLDER / name
    try:
        if path.read_text() != str(pid):
            return b""
        return b"%d" % path.stat().st_mtime_ns
    except FileNotFoundError:
        return b""
