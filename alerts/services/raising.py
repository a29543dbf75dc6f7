"""Raise an alert: stored first, told to the pages, and delivered by a worker afterwards."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from alerts import push
from alerts.domain.severity import Severity
from alerts.models import Alert
from core.celery_outbox import enqueue_on_commit
from core.errors import NotFound
from core.masking import mask, mask_text
from core.recording.tape import told
from core.rest.encoding import dumps

logger = logging.getLogger(__name__)

DEFAULT_WINDOW = timedelta(minutes=10)
DELIVER_TASK = "alerts.deliver"
_LEVELS = {
    Severity.DEBUG: logging.DEBUG,
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
    Severity.CRITICAL: logging.CRITICAL,
}


def raise_alert(
    *,
    code: str,
    severity: Severity | str,
    message: str,
    context: Mapping[str, Any],
    dedupe_key: str | None = None,
    now: datetime,
) -> Alert | None:
    """Store an alert and have it delivered once the transaction commits.

    Args:
        code: Stable upper-case name, such as ``STREAM_SILENT``.
        severity: One of ``Severity``.
        message: One sentence for a person: what, why, what to do.
        context: Ids and values; secrets are masked.
        dedupe_key: What counts as "the same again"; by default the code alone.
        now: Market time.

    Returns:
        The new alert, or None for a repetition within the window (wall time), which only counts
        up the first row. A repetition that is worse than the first is an alert of its own.
    """
    kept: list[Alert] = []

    def keep() -> None:
        alert = _keep(
            code=code,
            severity=Severity(severity),
            message=message,
            context=context,
            dedupe_key=dedupe_key,
            now=now,
        )
        kept.extend([alert] if alert is not None else [])

    # Nothing is decided by an alert, and who is not recorded raises some too: not replayed.
    told("alert", keep)
    return kept[0] if kept else None


def _keep(
    *,
    code: str,
    severity: Severity,
    message: str,
    context: Mapping[str, Any],
    dedupe_key: str | None,
    now: datetime,
) -> Alert | None:
    # Windows are wall time: people are not read to faster because the market runs faster.
    window = int(timezone.now().timestamp() // DEFAULT_WINDOW.total_seconds())
    key = f"{dedupe_key or code}|{severity}"[:200]
    logger.log(_LEVELS[severity], "alert.raised code=%s %s", code, mask_text(message))
    repeated = Alert.objects.filter(dedupe_key=key, window=window)
    if repeated.update(count=F("count") + 1, last_at=now):
        return None
    try:
        with transaction.atomic():
            alert = Alert.objects.create(
                code=code[:64],
                severity=severity.value,
                message=mask_text(message).replace("\x00", ""),
                context=_storable(context),
                dedupe_key=key,
                window=window,
                timestamp=now,
                last_at=now,
            )
    except IntegrityError:
        # Another process was first in this window.
        repeated.update(count=F("count") + 1, last_at=now)
        return None
    push.publish(_message(alert, at=now))
    enqueue_on_commit(DELIVER_TASK, kwargs={"alert_id": alert.pk}, queue="default")
    return alert


def acknowledge(*, alert_id: int, user_id: int, now: datetime) -> Alert:
    """Note that a person has seen the alert; doing it again changes nothing.

    Raises:
        NotFound: There is no such alert.
    """
    changed = Alert.objects.filter(pk=alert_id, acknowledged_at=None).update(
        acknowledged_at=now, acknowledged_by_id=user_id
    )
    alert = Alert.objects.filter(pk=alert_id).first()
    if alert is None:
        raise NotFound(f"There is no alert {alert_id}.", alert_id=alert_id)
    if changed:
        push.publish(_message(alert, at=now))
    return alert


def _storable(context: Mapping[str, Any]) -> Any:
    """Return the context as plain JSON values, masked; a float that is not finite becomes null."""
    plain = orjson.loads(dumps(dict(context)))
    return orjson.loads(orjson.dumps(mask(plain)).replace(b"\\u0000", b""))


def _message(alert: Alert, *, at: datetime) -> push.AlertMessage:
    return push.AlertMessage(
        type="alert",
        at=at,
        alert_id=alert.pk,
        code=alert.code,
        severity=alert.severity,
        message=alert.message,
        count=alert.count,
        is_acknowledged=alert.acknowledged_at is not None,
    )
