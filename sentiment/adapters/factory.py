"""Which adapter reads a source."""

from datetime import datetime
from pathlib import Path

from django.conf import settings

from sentiment.adapters.feeds import FearGreedSource, GdeltSource, RssSource
from sentiment.adapters.scripted import FileSource, GeneratedSource
from sentiment.ports import SentimentSource, SourceUnavailable


def wanted_kinds() -> frozenset[str]:
    """Return the kinds read in this mode: the demo has no network and its own market time."""
    if settings.SENTIMENT_SCRIPT or settings.TRADING_MODE == "demo":
        return frozenset(("SCRIPTED",))
    return frozenset(("RSS", "GDELT", "FEAR_GREED"))


def make_source(*, kind: str, address: str, now: datetime) -> SentimentSource:
    """Return the adapter for a row of ``sentiment_sources``; `now` is market time."""
    if kind == "RSS":
        return RssSource(address)
    if kind == "GDELT":
        return GdeltSource(address)
    if kind == "FEAR_GREED":
        return FearGreedSource(address)
    if kind == "SCRIPTED":
        if settings.SENTIMENT_SCRIPT:
            return FileSource(Path(settings.SENTIMENT_SCRIPT), now=now)
        return GeneratedSource(now=now)
    raise SourceUnavailable(f"nothing reads the kind {kind}")
