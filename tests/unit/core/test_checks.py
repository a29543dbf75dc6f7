from types import SimpleNamespace

import pytest

from core import checks


def ids(found):
    return [message.id for message in found]


@pytest.fixture
def live(monkeypatch):
    present = SimpleNamespace(
        TRADING_MODE="live",
        ACCOUNT_NAME="main",
        LIVE_TRADING_CONFIRM="main",
        SECRET_KEY="k" * 60,
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql"}},
        DEBUG=False,
    )
    monkeypatch.setattr(checks, "settings", present)
    return present


def test_the_test_settings_pass():
    assert checks.check_time_zone() == []
    assert checks.check_channel_layer() == []
    assert checks.check_live() == []


def test_a_complete_live_set_up_passes(live):
    assert checks.check_live() == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("LIVE_TRADING_CONFIRM", "", "core.E010"),
        ("LIVE_TRADING_CONFIRM", "other", "core.E010"),
        ("SECRET_KEY", "development-only-" + "x" * 40, "core.E011"),
        ("SECRET_KEY", "short", "core.E011"),
        ("DATABASES", {"default": {"ENGINE": "django.db.backends.sqlite3"}}, "core.E012"),
        ("DEBUG", True, "core.E013"),
    ],
)
def test_live_refuses_what_play_money_may_do(live, name, value, found):
    setattr(live, name, value)

    messages = checks.check_live()

    assert ids(messages) == [found]
    assert messages[0].hint


def test_it_finds_another_time_zone(settings):
    settings.TIME_ZONE = "Europe/Berlin"

    assert ids(checks.check_time_zone()) == ["core.E001"]


def test_it_finds_an_in_memory_layer(settings):
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

    assert ids(checks.check_channel_layer()) == ["core.E002"]


@pytest.mark.parametrize(
    ("token", "found"),
    [("", []), ("your-token", ["core.E014"]), ("short", ["core.E014"]), ("t" * 30, [])],
)
def test_it_finds_a_default_token(settings, token, found):
    settings.API_TOKEN = token

    assert ids(checks.check_api_token()) == found


def test_it_finds_a_key_file_open_to_others(settings, tmp_path):
    settings.KEY_STORE = "file"
    settings.KEY_FILE = tmp_path / "keys.json"
    settings.KEY_FILE.write_text("{}")
    settings.KEY_FILE.chmod(0o640)

    assert ids(checks.check_key_file()) == ["core.E015"]

    settings.KEY_FILE.chmod(0o600)
    assert checks.check_key_file() == []


def test_a_process_is_told_what_forbids_it_to_start(settings):
    assert checks.list_faults() == []

    settings.API_TOKEN = "changeme"

    assert checks.list_faults() == [
        "API_TOKEN is a default or too short. `manage.py create_env` writes a random one."
    ]
