"""A text as it comes from a source, and what is understood of it."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sentiment.domain.entities import find_assets, split_clauses
from sentiment.domain.lexicon import Tone, score_text

_NOISE = re.compile(r"[^a-z0-9 ]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawItem:
    """One text of a source.

    Attributes:
        external_id: The source's own id.
        title: Headline or short text.
        author: Who wrote it; empty when unknown.
        link: Where it stands.
        published_at: When the source says that it was published; aware.
        score: Set by sources that give a number themselves, -1 to 1.
    """

    external_id: str
    title: str
    author: str = ""
    link: str = ""
    published_at: datetime
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one part of a text says of some assets."""

    assets: tuple[str, ...]
    tone: Tone


def read_item(item: RawItem) -> tuple[Reading, ...]:
    """Return what the text says of whom, one reading for each differing clause.

    "BTC pumps while ETH bleeds" is two readings; a text that names nobody gives none.
    """
    if item.score is not None:
        assets = find_assets(item.title)
        return (Reading(assets=assets, tone=Tone(score=item.score, confidence=1.0)),)
    readings = []
    clauses = [(find_assets(clause), clause) for clause in split_clauses(item.title)]
    named = {assets for assets, _ in clauses if assets}
    if len(named) < 2:
        assets = find_assets(item.title)
        return (Reading(assets=assets, tone=score_text(item.title)),) if assets else ()
    for assets in sorted(named):
        text = ". ".join(clause for found, clause in clauses if found == assets)
        readings.append(Reading(assets=assets, tone=score_text(text)))
    return tuple(readings)


def cluster_of(title: str) -> str:
    """Return the same text for syndicated copies of a headline: case, signs and source aside."""
    text = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    text = re.split(r"\s[|\u2013\u2014-]\s(?=[^|]*$)", text)[0]
    words = _NOISE.sub(" ", text).split()
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:32]
