"""Bring alerts to channels: each at most once, and never more than agreed.

A delivery is claimed in the database before the request and settled after it, so two workers
cannot send the same. One whose sender died in between is UNKNOWN and stays unsent: a missing line
in a chat is better than a hundred equal ones, and the alert itself is on the dashboard.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from alerts.domain.delivery import (
    MAX_ATTEMPTS,
    DeliveryEvent,
    DeliveryState,
    advance,
    wait_after,
)
from alerts.domain.severity import Severity, at_least
from alerts.models import Alert, Channel, Delivery
from alerts.ports import Outgoing, SendFailed, Transport
from alerts.services.channels import target_of
from core.errors import TradingError
from core.masking import mask_text

logger = logging.getLogger(__name__)

CLAIM_TIMEOUT = timedelta(minutes=2)
# Whoever was away longer reads the list, not a burst of old news.
PLAN_WITHIN = timedelta(hours=24)
BATCH = 100
_HOUR = timedelta(hours=1)


def plan_deliveries(*, now: datetime) -> int:
    """Make the missing deliveries of recent alerts and return how many.

    Args:
        now: Wall time, as every time of deliveries.
    """
    channels = list(Channel.objects.filter(is_enabled=True))
    made = 0
    for channel in channels:
        severities = at_least(Severity(channel.min_severity))
        newest = channel.deliveries.order_by("-alert_id").values_list("alert_id", flat=True).first()
        # Rows with lower ids may become visible later: look back a little.
        after = max(channel.after_alert_id, (newest or 0) - BATCH)
        missing = Alert.objects.filter(severity__in=severities, pk__gt=after)
        missing = missing.exclude(deliveries__channel=channel).order_by("-id")[:BATCH]
        rows = [
            Delivery(alert=alert, channel=channel, created_at=now, next_attempt_at=now)
            for alert in reversed(missing)
        ]
        made += len(Delivery.objects.bulk_create(rows, ignore_conflicts=True))
    return made


def deliver_due(*, transport: Transport, now: datetime) -> int:
    """Plan, then send everything that is due; return how many were sent."""
    plan_deliveries(now=now)
    _lose_track(now=now)
    due = Delivery.objects.filter(state=DeliveryState.PENDING, next_attempt_at__lte=now)
    sent = 0
    for delivery in due.select_related("alert", "channel").order_by("next_attempt_at", "id")[
        :BATCH
    ]:
        sent += _deliver(delivery, transport=transport, now=now)
    return sent


def _deliver(delivery: Delivery, *, transport: Transport, now: datetime) -> bool:
    channel = delivery.channel
    if not channel.is_enabled or now - delivery.created_at > PLAN_WITHIN:
        _move(delivery, DeliveryEvent.GIVE_UP, last_error="too late, or the channel is off")
        return False
    if not _claim(delivery, now=now):
        return False
    try:
        transport.send(_outgoing(delivery.alert, channel))
    except SendFailed as error:
        _settle_failure(delivery, str(error), is_final=error.is_final, now=now)
        return False
    except TradingError as error:
        _settle_failure(delivery, error.message, is_final=True, now=now)
        return False
    _move(delivery, DeliveryEvent.SUCCEED, sent_at=now, last_error="")
    return True


def _claim(delivery: Delivery, *, now: datetime) -> bool:
    """Take the delivery for this worker, within the channel's hourly limit."""
    with transaction.atomic():
        # One claimer per channel at a time, or two would both see room for the last one.
        channel = Channel.objects.select_for_update().get(pk=delivery.channel_id)
        is_critical = delivery.alert.severity == Severity.CRITICAL
        used = channel.deliveries.filter(claimed_at__gt=now - _HOUR).count()
        if used >= channel.max_per_hour and not is_critical:
            _move(delivery, DeliveryEvent.SUPPRESS, last_error="hourly limit of the channel")
            return False
        return _move(delivery, DeliveryEvent.CLAIM, claimed_at=now, attempts=F("attempts") + 1)


def _settle_failure(delivery: Delivery, why: str, *, is_final: bool, now: datetime) -> None:
    attempts = delivery.attempts + 1
    why = mask_text(why)[:200]
    logger.warning(
        "alert.not_delivered delivery_id=%s attempt=%s why=%s", delivery.pk, attempts, why
    )
    if is_final or attempts >= MAX_ATTEMPTS:
        _move(delivery, DeliveryEvent.GIVE_UP, last_error=why)
    else:
        at = now + wait_after(attempts)
        _move(delivery, DeliveryEvent.RETRY, last_error=why, next_attempt_at=at)


def _lose_track(*, now: datetime) -> None:
    Delivery.objects.filter(state=DeliveryState.SENDING, claimed_at__lt=now - CLAIM_TIMEOUT).update(
        state=advance(DeliveryState.SENDING, DeliveryEvent.LOSE_TRACK),
        last_error="the sender ended before the answer",
    )


def _move(delivery: Delivery, event: DeliveryEvent, **changes: object) -> bool:
    """Change the state if nobody else has; tell whether it was us."""
    old = DeliveryState(delivery.state)
    new = advance(old, event)
    moved = Delivery.objects.filter(pk=delivery.pk, state=old).update(state=new, **changes)
    if moved:
        delivery.state = new.value
    return bool(moved)


def _outgoing(alert: Alert, channel: Channel) -> Outgoing:
    lines = [alert.message, ""]
    lines += [f"{name}: {value}" for name, value in alert.context.items()]
    lines.append(f"{alert.timestamp:%Y-%m-%d %H:%M:%S} UTC")
    return Outgoing(
        kind=channel.kind,
        target=target_of(channel),
        title=f"[{alert.severity}] {alert.code}",
        body="\n".join(lines)[:3000],
        severity=alert.severity,
    )
