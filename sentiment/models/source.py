"""Where texts come from."""

from django.db import models


class SourceKind(models.TextChoices):
    """How a source is read."""

    RSS = "RSS", "RSS or Atom feed"
    GDELT = "GDELT", "GDELT news search"
    FEAR_GREED = "FEAR_GREED", "Fear & Greed index"
    SCRIPTED = "SCRIPTED", "Scripted (not real news)"


class Source(models.Model):
    """One feed. Made by the migration, switched and added to in the admin.

    Collecting writes what the server asked us to remember, and what went wrong last.
    """

    name = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=12, choices=SourceKind.choices)
    address = models.URLField(max_length=500, blank=True)
    credibility = models.FloatField(default=1.0, help_text="0 to 1, weight of its texts")
    min_interval_s = models.PositiveIntegerField(default=900, help_text="Never asked more often")
    is_enabled = models.BooleanField(default=True)
    etag = models.CharField(max_length=200, blank=True, editable=False)
    last_modified = models.CharField(max_length=64, blank=True, editable=False)
    fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        db_table = "sentiment_sources"

    def __str__(self) -> str:
        return self.name
