"""What others may read of alerts."""

from django.db.models import QuerySet

from alerts.models import Alert


def list_alerts() -> QuerySet[Alert]:
    """Return alerts, the newest first."""
    return Alert.objects.order_by("-timestamp", "-id")


def latest_alert_id() -> int:
    """Return the id of the alert raised last; 0 before the first."""
    return Alert.objects.order_by("-id").values_list("id", flat=True).first() or 0
