"""What other rooms see of sentiment."""

from dataclasses import dataclass
from datetime import datetime


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
