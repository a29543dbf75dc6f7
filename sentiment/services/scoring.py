"""Turn the texts of the last two days into one score for each instrument."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from sentiment.domain.aggregate import HORIZON, Mood, Voice, aggregate
from sentiment.domain.entities import MARKET
from sentiment.models import Mention, SentimentScore

_COLUMNS = (
    "assets",
    "author",
    "cluster",
    "score",
    "confidence",
    "published_at",
    "available_at",
    "source__kind",
    "source__name",
    "source__credibility",
)


def score_instruments(*, base_assets: Mapping[int, str], now: datetime) -> int:
    """Store the scores of these instruments as of `now` and return how many.

    Args:
        base_assets: Instrument id to base asset, such as ``{1: "BTC"}``.
        now: Market time; a second run for the same moment changes nothing.
    """
    voices = _load(now=now)
    rows = []
    for instrument_id, asset in sorted(base_assets.items()):
        heard = [*voices.get(asset, ()), *voices.get(MARKET, ())]
        mood = aggregate([voice for _, voice in heard], now=now)
        if mood is None:
            continue
        rows.append(
            SentimentScore(
                instrument_id=instrument_id,
                available_at=now,
                score=mood.score,
                confidence=mood.confidence,
                mentions=mood.mentions,
                detail=_by_source(heard, now=now),
            )
        )
    SentimentScore.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)


def _load(*, now: datetime) -> dict[str, list[tuple[str, Voice]]]:
    """Return (source name, voice) by asset, of what was available within the horizon."""
    found: defaultdict[str, list[tuple[str, Voice]]] = defaultdict(list)
    recent = Mention.objects.filter(available_at__lte=now, available_at__gt=now - HORIZON)
    for row in recent.order_by("id").values(*_COLUMNS):
        voice = Voice(
            kind=row["source__kind"],
            author=row["author"] or row["source__name"],
            cluster=row["cluster"],
            score=row["score"],
            confidence=row["confidence"],
            credibility=row["source__credibility"],
            published_at=row["published_at"],
            available_at=row["available_at"],
        )
        for asset in row["assets"]:
            found[asset].append((row["source__name"], voice))
    return found


def _by_source(heard: list[tuple[str, Voice]], *, now: datetime) -> dict[str, dict[str, float]]:
    names = sorted({name for name, _ in heard})
    moods = {name: aggregate([v for n, v in heard if n == name], now=now) for name in names}
    return {name: _plain(mood) for name, mood in moods.items() if mood is not None}


def _plain(mood: Mood) -> dict[str, float]:
    return {
        "score": round(mood.score, 4),
        "mentions": mood.mentions,
        "effective": round(mood.effective, 2),
    }
