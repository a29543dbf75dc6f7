"""The Celery application; its configuration is ``celeryconfig.py`` at the top level."""

import os
import time
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings.dev")

app = Celery("tradingsite")
app.config_from_object("celeryconfig")
app.autodiscover_tasks()

_BEAT_EVERY_S = 5.0
_last_beat = [0.0]


@worker_ready.connect
@heartbeat_sent.connect
def _beat(**_: Any) -> None:
    """Say that this worker is alive; Celery gives the occasion every two seconds."""
    from django.conf import settings

    from core import health
    from core.clock import get_clock

    if settings.COMPONENT and time.monotonic() - _last_beat[0] >= _BEAT_EVERY_S:
        _last_beat[0] = time.monotonic()
        health.beat(settings.COMPONENT, now=get_clock().now())
