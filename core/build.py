"""What this process runs: one digest of the code that moves money and of the mode it does so in.

The code is read when this module is imported, so that a process tells what it runs and not what
has been put on the disk since.
"""

import hashlib
from pathlib import Path

from django.conf import settings

_ROOMS = ("core", "markets", "risk", "execution")
_LENGTH = 16


def _digest_code() -> str:
    digest = hashlib.sha256()
    root = Path(__file__).resolve().parents[1]
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


_CODE = _digest_code()


def get_build() -> str:
    """Return the digest, 16 characters; two processes that differ in it must not trade together."""
    text = f"{_CODE}|{settings.TRADING_MODE}"
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
