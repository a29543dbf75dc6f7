"""Everything sentiment stores."""

from sentiment.models.mention import Mention, SentimentScore
from sentiment.models.source import Source, SourceKind

__all__ = ["Mention", "SentimentScore", "Source", "SourceKind"]
