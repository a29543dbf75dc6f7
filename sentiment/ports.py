"""What collecting needs from the outside."""

from dataclasses import dataclass
from typing import Protocol

from sentiment.domain.item import RawItem


class SourceUnavailable(Exception):
    """The source gave nothing usable; the message says why, without secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a source gave.

    Attributes:
        items: Its texts; empty when nothing is new.
        etag: To be sent back next time; likewise `last_modified`.
    """

    items: tuple[RawItem, ...]
    etag: str = ""
    last_modified: str = ""


class SentimentSource(Protocol):
    """Reads one source."""

    def fetch(self, *, etag: str, last_modified: str) -> Fetched:
        """Return what is there or raise ``SourceUnavailable``; takes bounded time."""
