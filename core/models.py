"""Who may call, and who did what."""

from django.conf import settings
from django.db import models


class ApiToken(models.Model):
    """One client's key to the REST API.

    Written by ``core.tokens``; holds a digest, never the token. It ends by expiry, by being
    revoked, or with its user; the row stays.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=64, help_text="The client that uses it")
    prefix = models.CharField(max_length=16, help_text="Its first characters, to tell it by")
    digest = models.CharField(max_length=64, unique=True)
    can_write = models.BooleanField(default=True, help_text="Without it the token only reads")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "api_tokens"
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditRecord(models.Model):
    """One act of a person or of the system: who, what, on what, why, before and after.

    Written only by ``core.audit.record``, never changed: the database refuses. Each row carries
    the hash of the one before, so that a row altered behind our back is found by
    ``manage.py audit_verify``.
    """

    sequence = models.PositiveBigIntegerField(unique=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=64, db_index=True)
    subject = models.CharField(max_length=150, db_index=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "audit_records"
        constraints = [
            # The chain has one successor for each row: it cannot fork.
            models.UniqueConstraint(fields=["previous_hash"], name="audit_no_fork"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.actor} {self.action} {self.subject}"
