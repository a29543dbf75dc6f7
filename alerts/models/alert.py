"""Things somebody should know."""

from django.conf import settings
from django.db import models

from alerts.domain.severity import Severity


class Alert(models.Model):
    """One thing that happened, counted while it repeats within its window.

    Written by ``raise_alert``; later only its count, its last time and its acknowledgement
    change. Rows stay.
    """

    code = models.CharField(max_length=64)
    severity = models.CharField(max_length=8, choices=[(s.value, s.value) for s in Severity])
    message = models.TextField()
    context = models.JSONField(default=dict)
    dedupe_key = models.CharField(max_length=200)
    # Number of the time window the first of its kind fell in; one row per key and window.
    window = models.BigIntegerField()
    count = models.PositiveIntegerField(default=1)
    timestamp = models.DateTimeField(help_text="When it happened first, market time")
    last_at = models.DateTimeField(help_text="When it happened last, market time")
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        db_table = "system_alerts"
        constraints = [
            models.UniqueConstraint(fields=["dedupe_key", "window"], name="alert_once_per_window"),
        ]
        indexes = [
            # newest-first lists of the API and the dashboard
            models.Index(fields=["-timestamp", "-id"], name="alert_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.severity} {self.code}"
