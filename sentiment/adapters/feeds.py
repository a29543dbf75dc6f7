"""RSS and Atom feeds, GDELT's news search, and the Fear & Greed index."""

import calendar
import json
from datetime import UTC, datetime
from typing import Any

from sentiment.adapters.http import fetch
from sentiment.domain.item import RawItem
from sentiment.ports import Fetched, SourceUnavailable

GDELT_URL = "https://api.gdeltproject.org/api/v2/doc/doc"
FEAR_GREED_URL = "https://api.alternative.me/fng/"
MAX_ITEMS = 250


class RssSource:
    """One feed: its titles, links and times, nothing more."""

    def __init__(self, address: str) -> None:
        self._address = address

    def fetch(self, *, etag: str, last_modified: str) -> Fetched:
        body, etag, last_modified = fetch(self._address, etag=etag, last_modified=last_modified)
        if body is None:
            return Fetched(items=(), etag=etag, last_modified=last_modified)
        # 11 MB, for those who subscribe to feeds.
        import feedparser

        feed = feedparser.parse(body)
        if not feed.entries and feed.bozo:
            raise SourceUnavailable("is not a feed")
        items = [_entry(entry) for entry in feed.entries[:MAX_ITEMS]]
        return Fetched(
            items=tuple(item for item in items if item is not None),
            etag=etag,
            last_modified=last_modified,
        )


class GdeltSource:
    """News articles that GDELT found for a query within the last day."""

    def __init__(self, address: str = "") -> None:
        self._address = address or GDELT_URL

    def fetch(self, *, etag: str, last_modified: str) -> Fetched:
        body, *_ = fetch(
            self._address,
            params={
                "query": "(bitcoin OR ethereum OR cryptocurrency) sourcelang:english",
                "mode": "artlist",
                "format": "json",
                "timespan": "1d",
                "maxrecords": str(MAX_ITEMS),
                "sort": "datedesc",
            },
        )
        articles = _json(body).get("articles", [])
        if not isinstance(articles, list):
            raise SourceUnavailable("answered in another form")
        items = [_article(article) for article in articles if isinstance(article, dict)]
        return Fetched(items=tuple(item for item in items if item is not None))


class FearGreedSource:
    """The index of alternative.me, one value a day: 0 is fear, 100 is greed."""

    def __init__(self, address: str = "") -> None:
        self._address = address or FEAR_GREED_URL

    def fetch(self, *, etag: str, last_modified: str) -> Fetched:
        body, *_ = fetch(self._address, params={"limit": "1"})
        try:
            row = _json(body)["data"][0]
            value, at = int(row["value"]), datetime.fromtimestamp(int(row["timestamp"]), tz=UTC)
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise SourceUnavailable("answered in another form") from error
        if not 0 <= value <= 100:
            raise SourceUnavailable(f"gave {value}, beyond 0 to 100")
        item = RawItem(
            external_id=f"fng-{int(at.timestamp())}",
            title=f"Crypto market mood index: {value}",
            author="alternative.me",
            link="https://alternative.me/crypto/fear-and-greed-index/",
            published_at=at,
            score=(value - 50) / 50,
        )
        return Fetched(items=(item,))


def _entry(entry: Any) -> RawItem | None:
    title = " ".join(str(entry.get("title", "")).split())
    when = entry.get("published_parsed") or entry.get("updated_parsed")
    name = entry.get("id") or entry.get("link")
    if not title or not when or not name:
        return None
    return RawItem(
        external_id=str(name)[:200],
        title=title[:500],
        author=str(entry.get("author", ""))[:100],
        link=_http(entry.get("link", "")),
        published_at=datetime.fromtimestamp(calendar.timegm(when), tz=UTC),
    )


def _article(article: dict[str, Any]) -> RawItem | None:
    title, link = article.get("title"), _http(article.get("url", ""))
    try:
        seen = datetime.strptime(str(article.get("seendate")), "%Y%m%dT%H%M%S%z")
    except ValueError:
        return None
    if not isinstance(title, str) or not title.strip() or not link:
        return None
    return RawItem(
        external_id=link[:200],
        title=" ".join(title.split())[:500],
        author=str(article.get("domain", ""))[:100],
        link=link,
        published_at=seen.astimezone(UTC),
    )


def _http(link: Any) -> str:
    """Return the link if it is one that a page may show."""
    text = str(link)
    return text[:1000] if text.startswith(("https://", "http://")) else ""


def _json(body: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(body or b"")
    except ValueError as error:
        raise SourceUnavailable("did not answer in JSON") from error
    if not isinstance(found, dict):
        raise SourceUnavailable("answered in another form")
    return found
