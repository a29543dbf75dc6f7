from datetime import UTC, datetime, timedelta
from decimal import Decimal

import kombu.pools
import pytest
import time_machine
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from alerts.models import Alert
from alerts.services.raising import raise_alert
from core.masking import register_secret

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def within_one_window():
    with time_machine.travel(NOW, tick=False):
        yield


def raise_one(**changes):
    arguments = {
        "code": "STREAM_SILENT",
        "severity": "WARNING",
        "message": "WebSocket disconnected: nothing for 30 s.",
        "context": {"symbol": "BTCUSDT", "gap_s": Decimal("30.5"), "odd": float("nan")},
        "now": NOW,
    }
    return raise_alert(**{**arguments, **changes})


def test_it_stores_the_alert():
    alert = raise_one()

    stored = Alert.objects.get()
    assert stored.pk == alert.pk
    assert stored.context == {"symbol": "BTCUSDT", "gap_s": "30.5", "odd": None}
    assert stored.timestamp == NOW


def test_a_repetition_only_counts():
    raise_one()

    again = raise_one(now=NOW + timedelta(minutes=1))

    alert = Alert.objects.get()
    assert again is None
    assert alert.count == 2
    assert alert.last_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    "changes", [{"dedupe_key": "ETHUSDT"}, {"severity": "CRITICAL"}, {"code": "OTHER"}]
)
def test_another_subject_or_severity_is_another_alert(changes):
    raise_one()

    assert raise_one(**changes) is not None


def test_the_next_window_is_another_alert():
    raise_one()

    with time_machine.travel(NOW + timedelta(minutes=10), tick=False):
        assert raise_one() is not None


def test_it_stores_no_secret():
    register_secret("s3cr3t-value-of-a-key")

    raise_one(
        message="refused: https://x/?signature=abcdef s3cr3t-value-of-a-key",
        context={"api_key": "abc", "url": "wss://u:pw1234@host/", "note": "a\x00b"},
    )

    row = str(Alert.objects.values().get())
    for secret in ("abcdef", "s3cr3t", "'abc'", "pw1234"):
        assert secret not in row


def test_it_refuses_a_severity_that_does_not_exist():
    with pytest.raises(ValueError, match="FATAL"):
        raise_one(severity="FATAL")


def test_the_api_lists_and_acknowledges(django_assert_num_queries):
    user = get_user_model().objects.create_user("ann")
    client = APIClient()
    client.force_authenticate(user)
    alert = raise_one()
    raise_one(code="OTHER")

    reply = client.post(f"/alerts/{alert.pk}/ack")
    again = client.post(f"/alerts/{alert.pk}/ack")
    open_ones = client.get("/alerts?is_acknowledged=false").json()["results"]
    seen = client.get("/alerts?is_acknowledged=true").json()["results"]

    assert reply.status_code == 200
    assert again.json() == reply.json()
    assert [row["code"] for row in open_ones] == ["OTHER"]
    assert [row["acknowledged_by"] for row in seen] == ["ann"]


def test_the_api_answers_in_its_one_shape_when_it_cannot():
    client = APIClient()
    anonymous = client.get("/alerts")
    client.force_authenticate(get_user_model().objects.create_user("ann"))

    missing = client.post("/alerts/99/ack")
    odd = client.get("/alerts?severity=FATAL")

    assert (anonymous.status_code, missing.status_code, odd.status_code) == (401, 404, 400)
    for reply in (anonymous, missing, odd):
        assert set(reply.json()) == {"code", "message", "context"}


def forget_connections(app):
    """Let the next message open a connection to where the settings point now."""
    kombu.pools.reset()
    app._after_fork()


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_down_does_not_stop_the_raiser(settings, redis_url, monkeypatch):
    from core import celery_outbox
    from core.background import BackgroundQueue
    from tradingsite.celery import app

    outbox = BackgroundQueue("outbox-test", celery_outbox._send)
    monkeypatch.setattr(celery_outbox, "_outbox", outbox)
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    forget_connections(app)
    try:
        alert = raise_one()
        was_sent_at_once = outbox.flush(0)
    finally:
        monkeypatch.undo()
        forget_connections(app)

    assert Alert.objects.get().pk == alert.pk
    assert not was_sent_at_once
