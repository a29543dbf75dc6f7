"""What others may read of alerts."""

from django.db.models import QuerySet

from alerts.models import Alert


def list_alerts() -> QuerySet[Alert]:
    """Return alerts, the newest first."""
    return Alert.objects.order_by("-timestamp", "-id")
