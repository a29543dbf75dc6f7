"""Delivering, in a worker. Both tasks do all that is due, so a lost nudge changes nothing."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from alerts.adapters.apprise_transport import AppriseTransport
from alerts.services.delivery import deliver_due


@shared_task(bind=True, name="alerts.deliver", queue="default", acks_late=True)
def deliver(self: Any, **_: Any) -> None:
    """Send what is due, just after an alert was raised."""
    deliver_due(transport=AppriseTransport(), now=timezone.now())


@shared_task(bind=True, name="alerts.deliver_pending", queue="default", acks_late=True)
def deliver_pending(self: Any, **_: Any) -> None:
    """Send what is due: repeats after failures, and alerts raised while the broker was away."""
    deliver_due(transport=AppriseTransport(), now=timezone.now())
