import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from core import health, redis_client
from core.health import ComponentStatus

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def rested(monkeypatch):
    monkeypatch.setattr(redis_client, "_pause_until", 0.0)


def status_after(seconds):
    start = time.time()
    with time_machine.travel(start, tick=False):
        health.beat("guard", now=NOW, interval_s=10)
    with time_machine.travel(start + seconds, tick=False):
        return health.list_components(now=NOW)[0].status


def test_it_shows_what_beat(redis_url):
    health.beat("worker.orders", now=NOW, detail={"orders": 3, "lag": Decimal("0.5")})
    health.beat("guard", now=NOW, is_well=False)

    guard, worker = health.list_components(now=NOW)

    assert (guard.name, guard.status) == ("guard", ComponentStatus.FAILING)
    assert (worker.name, worker.status) == ("worker.orders", ComponentStatus.OK)
    assert worker.detail == {"orders": 3, "lag": "0.5"}
    assert worker.at == NOW
    assert worker.age_s < 5


@pytest.mark.parametrize(
    ("seconds", "status"), [(5, "OK"), (24, "OK"), (26, "LATE"), (59, "LATE"), (61, "DEAD")]
)
def test_it_judges_silence_by_the_promised_interval(redis_url, seconds, status):
    assert status_after(seconds) == status


def test_it_forgets_what_ended_well(redis_url):
    health.beat("guard", now=NOW)

    health.forget("guard")

    assert health.list_components(now=NOW) == []


@pytest.mark.faults
def test_it_drops_beats_while_redis_is_away(redis_url, settings, caplog, monkeypatch):
    monkeypatch.setattr(health, "_warnings", redis_client.Throttle())
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    for _ in range(3):
        health.beat("guard", now=NOW)

    assert health.list_components(now=NOW) == []
    assert not health.is_redis_up()
    assert caplog.text.count("health.beat_lost") == 1
