"""What others may read of sentiment: never a score from after the moment they decide at."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Max

from core.recording.tape import told
from sentiment.domain.view import MAX_AGE, SentimentView
from sentiment.models import SentimentScore

__all__ = [
    "MAX_AGE",
    "SentimentView",
    "list_score_history",
    "list_sentiment",
    "list_view_history",
]


def list_sentiment(*, instrument_ids: Collection[int], as_of: datetime) -> dict[int, SentimentView]:
    """Return the newest score of each instrument available at or before `as_of`.

    An instrument without a score in the last ``MAX_AGE`` is absent: silence is not neutrality.
    Two queries, whatever the number of instruments.
    """
    rows = told("sentiment", lambda: _read_newest(instrument_ids, as_of))
    return {
        row["instrument_id"]: SentimentView(
            **{**row, "available_at": datetime.fromisoformat(row["available_at"])}
        )
        for row in rows
    }


def _read_newest(instrument_ids: Collection[int], as_of: datetime) -> list[dict[str, Any]]:
    recent = SentimentScore.objects.filter(
        instrument_id__in=instrument_ids, available_at__lte=as_of, available_at__gt=as_of - MAX_AGE
    )
    newest = list(recent.values_list("instrument_id").annotate(Max("available_at")))
    if not newest:
        return []
    times = {at for _, at in newest}
    columns = ("instrument_id", "score", "confidence", "mentions", "available_at")
    rows = recent.filter(available_at__in=times).values(*columns)
    wanted = set(newest)
    return [
        {**row, "available_at": row["available_at"].isoformat()}
        for row in rows
        if (row["instrument_id"], row["available_at"]) in wanted
    ]


def list_score_history(
    *, instrument_ids: Collection[int], start: datetime, end: datetime
) -> dict[int, list[tuple[datetime, float]]]:
    """Return (available_at, score) of each instrument in [start, end], ascending. One query.

    An instrument without a score in that time is absent.
    """
    rows = (
        SentimentScore.objects.filter(
            instrument_id__in=instrument_ids, available_at__gte=start, available_at__lte=end
        )
        .order_by("instrument_id", "available_at", "id")
        .values_list("instrument_id", "available_at", "score")
    )
    found: dict[int, list[tuple[datetime, float]]] = {}
    for instrument_id, available_at, score in rows:
        found.setdefault(instrument_id, []).append((available_at, float(score)))
    return found


def list_view_history(
    *, instrument_ids: Collection[int], start: datetime, end: datetime
) -> dict[int, list[SentimentView]]:
    """Return what ``list_sentiment`` could have said in [start, end], by instrument. One query.

    Ascending by when it became known; of scores that became known together, the last stored.
    """
    columns = ("instrument_id", "score", "confidence", "mentions", "available_at")
    rows = SentimentScore.objects.filter(
        instrument_id__in=instrument_ids,
        available_at__gt=start - MAX_AGE,
        available_at__lte=end,
    ).order_by("instrument_id", "available_at", "id")
    found: dict[int, list[SentimentView]] = {}
    for row in rows.values(*columns):
        found.setdefault(row["instrument_id"], []).append(SentimentView(**row))
    return found
