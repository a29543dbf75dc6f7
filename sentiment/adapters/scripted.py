"""Texts that are not news: from a file, or made up for the demonstration. Their source says so."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from sentiment.domain.item import RawItem
from sentiment.ports import Fetched, SourceUnavailable

_EVERY = timedelta(minutes=30)
_COINS = ("Bitcoin", "Ethereum", "Solana", "Cardano", "XRP", "Dogecoin")
_UP = ("rallies on fund inflows", "climbs to a weekly high", "gains as buyers return")
_DOWN = ("drops after a wave of selling", "slides below support", "falls on outflows")
_FLAT = ("trades sideways", "is little changed", "waits for the next close")


class GeneratedSource:
    """Makes up one headline per coin and half hour, the same for the same time and seed."""

    def __init__(self, *, now: datetime, seed: int = 7) -> None:
        self._now = now
        self._seed = seed

    def fetch(self, *, etag: str, last_modified: str) -> Fetched:
        slot = int(self._now.timestamp() // _EVERY.total_seconds())
        items = [self._make(number, coin) for number in (slot - 1, slot) for coin in _COINS]
        return Fetched(items=tuple(item for item in items if item.published_at <= self._now))

    def _make(self, slot: int, coin: str) -> RawItem:
        # A slow tide per coin, so that moods last for hours as they do in the world.
        tide = Random(f"{self._seed}:{coin}:{slot // 24}").choice((_UP, _UP, _FLAT, _DOWN, _DOWN))  # noqa: S311 - not a secret
        dice = Random(f"{self._seed}:{coin}:{slot}")  # noqa: S311 - not a secret
        words = dice.choice(tide if dice.random() < 0.7 else _UP + _FLAT + _DOWN)
        return RawItem(
            external_id=f"scripted-{self._seed}-{coin}-{slot}",
            title=f"{coin} {words} (scripted)",
            author=f"scripted-{dice.randrange(40)}",
            published_at=datetime.fromtimestamp(slot * _EVERY.total_seconds(), tz=UTC),
        )


class FileSource:
    """Reads JSON lines ``{"id", "at", "title", "author"}``; lines of the future stay unread."""

    def __init__(self, path: Path, *, now: datetime) -> None:
        self._path = path
        self._now = now

    def fetch(self, *, etag: str, last_modified: str) -> Fetched:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceUnavailable(f"the script cannot be read: {error}") from error
        items = [self._read(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        return Fetched(items=tuple(item for item in items if item.published_at <= self._now))

    @staticmethod
    def _read(number: int, line: str) -> RawItem:
        try:
            row = json.loads(line)
            at = datetime.fromisoformat(row["at"])
            if at.tzinfo is None:
                raise ValueError("the time has no zone")
            return RawItem(
                external_id=str(row["id"])[:200],
                title=str(row["title"])[:500],
                author=str(row.get("author", ""))[:100],
                published_at=at,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceUnavailable(f"line {number} of the script is wrong: {error}") from error
