"""Where alerts go, and how each got there."""

from django.db import models

from alerts.domain.delivery import DeliveryState
from alerts.domain.severity import Severity
from alerts.models.alert import Alert


class ChannelKind(models.TextChoices):
    """What a channel is."""

    SLACK = "SLACK", "Slack"
    TELEGRAM = "TELEGRAM", "Telegram"
    DISCORD = "DISCORD", "Discord"
    EMAIL = "EMAIL", "E-mail"
    WEBHOOK = "WEBHOOK", "JSON webhook"


class Channel(models.Model):
    """One place that alerts are sent to. Made and edited in the admin.

    Its address holds a secret: it is stored sealed and never shown again.
    """

    name = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=10, choices=ChannelKind.choices)
    sealed_target = models.TextField(editable=False)
    min_severity = models.CharField(
        max_length=8,
        choices=[(s.value, s.value) for s in Severity],
        default=Severity.WARNING.value,
    )
    max_per_hour = models.PositiveSmallIntegerField(
        default=30, help_text="More are suppressed; CRITICAL always goes through"
    )
    is_enabled = models.BooleanField(default=True)
    # Alerts up to this one were raised before the channel was there (or on).
    after_alert_id = models.BigIntegerField(default=0, editable=False)

    class Meta:
        db_table = "alert_channels"

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One alert's way to one channel. Written by the delivery service, at most once sent.

    Its states are in ``alerts/domain/delivery.py``; times are wall time.
    """

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(
        max_length=10,
        choices=[(s.value, s.value) for s in DeliveryState],
        default=DeliveryState.PENDING.value,
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "alert_deliveries"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["alert", "channel"], name="delivery_once_per_channel"),
        ]
        indexes = [
            # the delivery service looks for what is due
            models.Index(
                fields=["next_attempt_at"],
                name="delivery_due",
                condition=models.Q(state__in=["PENDING", "SENDING"]),
            ),
            # the hourly limit of a channel
            models.Index(fields=["channel", "sent_at"], name="delivery_sent"),
        ]

    def __str__(self) -> str:
        return f"{self.alert_id} to {self.channel_id}: {self.state}"
