import pytest
from django.core.management import call_command
from django.db import OperationalError

from core.keys import manager
from tradingsite.management.commands import check_env

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forgotten():
    manager.forget_credentials()
    yield
    manager.forget_credentials()


def findings():
    return {finding.name: finding for finding in check_env.list_findings()}


def test_it_is_content_with_the_demo(capsys):
    call_command("check_env")

    assert "Everything is in order." in capsys.readouterr().out


def test_it_names_what_testnet_lacks(settings, redis_url, monkeypatch, capsys):
    settings.TRADING_MODE = "testnet"
    settings.CHOSEN_REDIS_URL = redis_url
    for name in ("BINANCE_API_KEY", "API_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(SystemExit) as stop:
        call_command("check_env")

    out = capsys.readouterr().out
    assert stop.value.code == 1
    assert "BINANCE_API_KEY is not set" in out
    assert findings()["API_TOKEN"].verdict == "missing"
    assert findings()["redis"].verdict == "ok"


def test_it_shows_no_secret(monkeypatch, capsys):
    monkeypatch.setenv("API_TOKEN", "very-secret-token-value")
    monkeypatch.setenv("DATABASE_URL", "postgres://ann:hunter22@host/db")

    call_command("check_env")

    out = capsys.readouterr().out
    assert "very-secret" not in out
    assert "hunter22" not in out


@pytest.mark.faults
def test_it_says_that_redis_is_away(settings):
    settings.CHOSEN_REDIS_URL = settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert findings()["redis"].verdict == "wrong"


@pytest.mark.faults
def test_it_says_that_the_database_is_away(monkeypatch):
    def fail(*_):
        raise OperationalError("connection refused\nmore")

    monkeypatch.setattr(check_env, "MigrationExecutor", fail)

    finding = findings()["database"]
    assert finding.verdict == "wrong"
    assert "Database connection failed: connection refused" in finding.fix


def test_it_says_that_there_is_no_room(monkeypatch):
    monkeypatch.setattr(check_env, "_MIN_FREE_BYTES", 10**18)

    assert "make room" in findings()["disk"].fix
