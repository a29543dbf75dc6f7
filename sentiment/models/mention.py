"""Texts and what they add up to."""

from django.db import models

from sentiment.models.source import Source


class Mention(models.Model):
    """One text of one source. Written by collecting, never changed.

    It counts only from ``available_at`` (when we first had it), whatever it says of itself.
    """

    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="mentions")
    external_id = models.CharField(max_length=200)
    author = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=500)
    link = models.URLField(max_length=1000, blank=True)
    # Bases it speaks of, such as ["BTC", "ETH"]; "MARKET" for all of them.
    assets = models.JSONField(default=list)
    score = models.FloatField(help_text="-1 to 1, by the lexicon")
    confidence = models.FloatField(help_text="0 to 1")
    # The same for syndicated copies of one story.
    cluster = models.CharField(max_length=64)
    published_at = models.DateTimeField()
    available_at = models.DateTimeField()

    class Meta:
        db_table = "sentiment_mentions"
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="mention_once"),
        ]
        indexes = [
            # scoring reads what became available within a span
            models.Index(fields=["available_at"], name="mention_available"),
        ]

    def __str__(self) -> str:
        return self.title[:60]


class SentimentScore(models.Model):
    """The mood about one instrument at one moment. Written by scoring, never changed."""

    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    available_at = models.DateTimeField()
    score = models.FloatField()
    confidence = models.FloatField()
    mentions = models.PositiveIntegerField()
    # Per source: score, effective mentions, and whether it is scripted.
    detail = models.JSONField(default=dict)

    class Meta:
        db_table = "sentiment_scores"
        constraints = [
            # also serves "the newest at or before a moment"
            models.UniqueConstraint(fields=["instrument", "available_at"], name="score_once"),
            models.CheckConstraint(
                condition=models.Q(score__gte=-1.0, score__lte=1.0), name="score_within_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.score:+.2f} at {self.available_at:%Y-%m-%d %H:%M}"
