"""What the gate said."""

from django.db import models

from core.fields import ExactDecimalField


class RiskVerdict(models.Model):
    """The gate's answer to one intent, with every check. Append-only, written by ``assess``."""

    intent_key = models.CharField(max_length=128, unique=True)
    # Plain numbers: an intent for something that does not exist is on record too.
    account_id = models.BigIntegerField()
    instrument_id = models.BigIntegerField()
    symbol = models.CharField(max_length=32)
    purpose = models.CharField(max_length=8)
    side = models.CharField(max_length=16)
    quantity = ExactDecimalField(null=True, help_text="Empty when it was not a number")
    approved = models.BooleanField()
    # The first denial: its code, what was allowed, what was found. Empty when approved.
    code = models.CharField(max_length=32, blank=True)
    limit = models.CharField(max_length=80, blank=True)
    value = models.CharField(max_length=160, blank=True)
    checks = models.JSONField(default=list)
    epoch = models.BigIntegerField()
    limits_version = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "risk_verdicts"
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="verdict_newest"),
            # the admin's list of the last denials
            models.Index(
                fields=["-created_at"],
                name="verdict_denied",
                condition=models.Q(approved=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.intent_key}: {'approved' if self.approved else self.code}"
