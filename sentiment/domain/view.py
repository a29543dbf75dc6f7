"""What other rooms see of sentiment."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# An older score is silence, and silence is not neutrality.
MAX_AGE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentView:
    """The mood about one instrument, as it was known at a moment.

    Attributes:
        instrument_id: Whose.
        score: From -1 to 1, already shrunk towards 0 when little was heard.
        confidence: From 0 to 1; effective mentions n over n + 20.
        mentions: Texts that entered.
        available_at: When the score could be known, at or before the moment asked for.
    """

    instrument_id: int
    score: float
    confidence: float
    mentions: int
    available_at: datetime


class SentimentHistory:
    """What was known of each instrument's mood at any moment of a stretch.

    Args:
        views: By instrument, ascending by ``available_at``.
    """

    def __init__(self, views: Mapping[int, Sequence[SentimentView]]) -> None:
        self._views = views
        self._times = {key: [view.available_at for view in found] for key, found in views.items()}

    def at(self, instrument_id: int, moment: datetime) -> SentimentView | None:
        """Return the newest view that was known at `moment` and not too old; None: silence."""
        place = bisect_right(self._times.get(instrument_id, []), moment)
        if not place:
            return None
        view = self._views[instrument_id][place - 1]
        return view if view.available_at > moment - MAX_AGE else None
