"""What a training had worked out when it was killed: one small file per block."""

import io
import logging
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

# A training that nobody took up again for a day will not be.
KEPT_S = 86_400.0
_MAX_BYTES = 256 * 1024 * 1024


class FolderWalkMemory:
    """Files of plain numbers under `folder`; what is older than a day is swept away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recall(self, name: str) -> NDArray[np.float64] | None:
        """Return what was kept; what cannot be read counts as not kept."""
        path = self.folder / f"{name}.npy"
        if not path.exists() or path.stat().st_size > _MAX_BYTES:
            return None
        try:
            found = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            logger.warning("walk.unreadable file=%s error=%s", path.name, error)
            return None
        logger.info("walk.resumed block=%s", name)
        return np.asarray(found, np.float64)

    def keep(self, name: str, margins: NDArray[np.float64]) -> None:
        """Write beside and rename: a kill leaves the whole file or none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        scratch = self.folder / f".{name}.{os.getpid()}.part"
        with scratch.open("wb") as file:
            np.save(file, margins, allow_pickle=False)
        scratch.rename(self.folder / f"{name}.npy")

    def _sweep(self) -> None:
        oldest = time.time() - KEPT_S
        for path in self.folder.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except FileNotFoundError:
                continue  # another training swept it
