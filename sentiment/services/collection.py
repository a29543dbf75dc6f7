"""Ask the sources, and keep each text once, from the moment we had it."""

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db.models import Q

from sentiment.domain.item import RawItem, cluster_of, read_item
from sentiment.models import Mention, Source
from sentiment.ports import Fetched, SentimentSource, SourceUnavailable

logger = logging.getLogger(__name__)

MakeSource = Callable[[Source], SentimentSource]
# A clock that is a little wrong is no reason to lose a text; one from tomorrow is.
_MAX_AHEAD = timedelta(minutes=10)
_MAX_AGE = timedelta(days=3)
_RETRY_AFTER_S = 900


def collect(*, kinds: Collection[str], make_source: MakeSource, now: datetime) -> int:
    """Ask every due source of these kinds and return how many texts are new.

    A source that fails is noted and does not stop the others. No transaction is open while a
    source is asked.

    Args:
        kinds: Of ``SourceKind``.
        make_source: Returns the adapter of a source.
        now: Market time.
    """
    new = 0
    for source in Source.objects.filter(is_enabled=True, kind__in=kinds).order_by("id"):
        if not _claim(source, now=now):
            continue
        try:
            fetched = make_source(source).fetch(
                etag=source.etag, last_modified=source.last_modified
            )
        except SourceUnavailable as error:
            logger.warning("sentiment.source_failed source=%s why=%s", source.name, error)
            # A daily source that failed is asked again after a while, not tomorrow.
            wait_s = min(source.min_interval_s, _RETRY_AFTER_S)
            Source.objects.filter(pk=source.pk).update(
                last_error=str(error)[:200],
                fetched_at=now - timedelta(seconds=source.min_interval_s - wait_s),
            )
            continue
        new += _store(source, fetched, now=now)
    return new


def _claim(source: Source, *, now: datetime) -> bool:
    """Take the source's turn, so that two collectors do not ask it twice."""
    # A second's grace: the schedule's own interval must not miss by a hair and skip a turn.
    due = Q(fetched_at=None) | Q(
        fetched_at__lte=now - timedelta(seconds=source.min_interval_s) + timedelta(seconds=1)
    )
    return bool(Source.objects.filter(due, pk=source.pk).update(fetched_at=now))


def _store(source: Source, fetched: Fetched, *, now: datetime) -> int:
    known = set(
        Mention.objects.filter(
            source=source, external_id__in=[_id(item, 0) for item in fetched.items]
        ).values_list("external_id", flat=True)
    )
    rows = [
        row
        for item in fetched.items
        if _id(item, 0) not in known and -_MAX_AHEAD <= now - item.published_at <= _MAX_AGE
        for row in _rows(source, item, now=now)
    ]
    Mention.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    Source.objects.filter(pk=source.pk).update(
        etag=fetched.etag, last_modified=fetched.last_modified, last_error=""
    )
    return len({row.external_id for row in rows})


def _rows(source: Source, item: RawItem, *, now: datetime) -> list[Mention]:
    return [
        Mention(
            source=source,
            external_id=_id(item, number),
            author=item.author,
            title=item.title,
            link=item.link,
            assets=list(reading.assets),
            score=reading.tone.score,
            confidence=reading.tone.confidence,
            cluster=cluster_of(item.title),
            published_at=min(item.published_at, now),
            available_at=now,
        )
        for number, reading in enumerate(read_item(item))
    ]


def _id(item: RawItem, reading: int) -> str:
    """Return the row's id; the further readings of one text count up."""
    return item.external_id[:190] if reading == 0 else f"{item.external_id[:190]}#{reading}"
