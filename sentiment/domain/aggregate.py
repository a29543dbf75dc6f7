"""From many texts to one number per asset, as it could be known at a moment.

Weight of a text: ``credibility * confidence * 2^(-age / half-life) / sqrt(copies)``. The mean is
shrunk by ``n / (n + 20)``, n being the effective number of texts, so that little talk says little.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

SHRINKAGE = 20.0
AUTHOR_SHARE = 0.05
_NEGLIGIBLE = 1e-9
_HALF_LIVES = {
    "RSS": timedelta(hours=12),
    "GDELT": timedelta(hours=12),
    "FEAR_GREED": timedelta(hours=24),
    "SCRIPTED": timedelta(hours=6),
}
HORIZON = timedelta(hours=48)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One text that enters.

    Attributes:
        kind: Of the source; decides the half-life.
        author: Who speaks; the source when the text names nobody.
        cluster: The same for copies of one story.
        score: -1 to 1.
        confidence: 0 to 1.
        credibility: Of the source, 0 to 1.
        published_at: When it was said: it fades from then on.
        available_at: When we had it: it counts from then on.
    """

    kind: str
    author: str
    cluster: str
    score: float
    confidence: float
    credibility: float
    published_at: datetime
    available_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """What the texts add up to.

    Attributes:
        score: -1 to 1, shrunk.
        confidence: ``n / (n + 20)`` with the effective number n.
        mentions: Texts that entered.
        effective: The effective number, ``(sum w)^2 / sum w^2``, at most the weights' sum.
    """

    score: float
    confidence: float
    mentions: int
    effective: float


def aggregate(voices: Iterable[Voice], *, now: datetime) -> Mood | None:
    """Return the mood of the texts available at or before `now`; None when there are none."""
    known = [v for v in voices if v.available_at <= now and now - v.published_at <= HORIZON]
    copies = Counter(voice.cluster for voice in known)
    weighted = [(_weight(v, now=now, copies=copies[v.cluster]), v) for v in known]
    weighted = [(weight, voice) for weight, voice in weighted if weight > _NEGLIGIBLE]
    if not weighted:
        return None
    capped = _cap_authors(weighted)
    total = sum(weight for weight, _ in capped)
    mean = sum(weight * voice.score for weight, voice in capped) / total
    effective = min(total, total**2 / sum(weight**2 for weight, _ in capped))
    shrink = effective / (effective + SHRINKAGE)
    return Mood(
        score=max(-1.0, min(1.0, mean * shrink)),
        confidence=shrink,
        mentions=len(weighted),
        effective=effective,
    )


def _weight(voice: Voice, *, now: datetime, copies: int) -> float:
    half_life = _HALF_LIVES.get(voice.kind, timedelta(hours=12))
    half_lives = max(0.0, (now - voice.published_at) / half_life)
    fading = math.pow(0.5, half_lives)
    return voice.credibility * voice.confidence * fading / math.sqrt(copies)


def _cap_authors(weighted: list[tuple[float, Voice]]) -> list[tuple[float, Voice]]:
    """Scale down authors so that none has more than his share of the whole.

    With few authors the share is that of equals: 5 % each cannot be had by fewer than twenty.
    """
    by_author: defaultdict[str, float] = defaultdict(float)
    for weight, voice in weighted:
        by_author[voice.author] += weight
    limit = _limit(sorted(by_author.values()), max(AUTHOR_SHARE, 1.0 / len(by_author)))
    return [
        (weight * min(1.0, limit / by_author[voice.author]), voice) for weight, voice in weighted
    ]


def _limit(weights: list[float], share: float) -> float:
    """Return the cap c with ``c = share * sum(min(w, c))``, for ascending `weights`."""
    below = 0.0
    for index, weight in enumerate(weights):
        above = len(weights) - index
        free = 1.0 - share * above
        if free <= 1e-12:
            below += weight
            continue
        cap = share * below / free
        if cap <= weight:
            return max(cap, weights[0])
        below += weight
    return weights[-1]
