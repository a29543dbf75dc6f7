"""What others may read of sentiment: never a score from after the moment they decide at."""

from collections.abc import Collection
from datetime import datetime, timedelta

from django.db.models import Max

from sentiment.domain.view import SentimentView
from sentiment.models import SentimentScore

__all__ = ["MAX_AGE", "SentimentView", "list_sentiment"]

MAX_AGE = timedelta(hours=24)


def list_sentiment(*, instrument_ids: Collection[int], as_of: datetime) -> dict[int, SentimentView]:
    """Return the newest score of each instrument available at or before `as_of`.

    An instrument without a score in the last ``MAX_AGE`` is absent: silence is not neutrality.
    Two queries, whatever the number of instruments.
    """
    recent = SentimentScore.objects.filter(
        instrument_id__in=instrument_ids, available_at__lte=as_of, available_at__gt=as_of - MAX_AGE
    )
    newest = list(recent.values_list("instrument_id").annotate(Max("available_at")))
    if not newest:
        return {}
    times = {at for _, at in newest}
    columns = ("instrument_id", "score", "confidence", "mentions", "available_at")
    rows = recent.filter(available_at__in=times).values(*columns)
    wanted = set(newest)
    return {
        row["instrument_id"]: SentimentView(**row)
        for row in rows
        if (row["instrument_id"], row["available_at"]) in wanted
    }
