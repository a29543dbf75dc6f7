"""What Django checks at each start: settings that would hurt later."""

import stat
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.core.checks import Warning as CheckWarning

_IN_MEMORY = "channels.layers.InMemoryChannelLayer"
_DEFAULT_SECRETS = ("development-only-", "django-insecure", "only-for-tests-", "changeme")
_DEFAULT_TOKENS = ("your-token", "changeme", "token", "secret")

# Tag of the checks that every process must pass. Django's own read every address, form and page
# of the site: half a second and 25 MB in a process that serves none.
SETTINGS = "settings"


@register(SETTINGS)
def check_time_zone(**_: Any) -> list[CheckMessage]:
    """Every time in here is UTC."""
    if settings.TIME_ZONE == "UTC" and settings.USE_TZ:
        return []
    return [Error("TIME_ZONE must be UTC.", hint="Remove it from the settings.", id="core.E001")]


@register(SETTINGS)
def check_channel_layer(**_: Any) -> list[CheckMessage]:
    """Pages and workers are different processes."""
    if settings.CHANNEL_LAYERS["default"]["BACKEND"] != _IN_MEMORY:
        return []
    return [
        Error(
            "An in-memory channel layer reaches no other process: pages would stand still.",
            hint="Use channels_redis.pubsub.RedisPubSubChannelLayer.",
            id="core.E002",
        )
    ]


@register(SETTINGS)
def check_live(**_: Any) -> list[CheckMessage]:
    """Real money needs everything that play money can do without."""
    if settings.TRADING_MODE != "live":
        return []
    found: list[CheckMessage] = []
    if settings.LIVE_TRADING_CONFIRM != settings.ACCOUNT_NAME or not settings.ACCOUNT_NAME:
        found.append(
            Error(
                "Live trading is not confirmed.",
                hint=f"Set LIVE_TRADING_CONFIRM={settings.ACCOUNT_NAME} to trade real money.",
                id="core.E010",
            )
        )
    if settings.SECRET_KEY.startswith(_DEFAULT_SECRETS) or len(settings.SECRET_KEY) < 40:
        found.append(
            Error(
                "SECRET_KEY is a default or too short for live trading.",
                hint="`manage.py create_env` writes a random one.",
                id="core.E011",
            )
        )
    if settings.DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
        found.append(
            Error(
                "Live trading needs PostgreSQL.",
                hint="Set DATABASE_URL=postgres://…",
                id="core.E012",
            )
        )
    if settings.DEBUG:
        found.append(Error("DEBUG shows settings to strangers.", hint="Unset it.", id="core.E013"))
    return found


@register(SETTINGS)
def check_test_hooks(**_: Any) -> list[CheckMessage]:
    """What fault tests use has no place near a real exchange."""
    if settings.TRADING_MODE in ("demo", "paper"):
        return []
    if not settings.CRASHPOINT and not settings.CLOCK:
        return []
    return [
        Error(
            "CRASHPOINT and CLOCK are for the local exchange only.",
            hint="Unset both: the exchange's time is the wall's.",
            id="core.E018",
        )
    ]


@register(SETTINGS)
def check_api_token(**_: Any) -> list[CheckMessage]:
    """The token of the documentation is known to everybody."""
    token = settings.API_TOKEN
    if not token or (token.lower() not in _DEFAULT_TOKENS and len(token) >= 16):
        return []
    hint = "`manage.py create_env` writes a random one."
    return [Error("API_TOKEN is a default or too short.", hint=hint, id="core.E014")]


@register(SETTINGS)
def check_key_file(**_: Any) -> list[CheckMessage]:
    """Nobody else reads the keys."""
    path = Path(settings.KEY_FILE)
    if settings.KEY_STORE != "file" or not path.exists():
        return []
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        return [
            Error("The key file can be read by others.", hint=f"chmod 600 {path}", id="core.E015")
        ]
    return []


@register(Tags.database)
def check_limits_row(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """Without limits nothing is ever allowed."""
    from django.apps import apps
    from django.db import DatabaseError, connection

    models = {model.__name__: model for model in apps.get_app_config("risk").get_models()}
    limits = models.get("RiskLimits")
    if not databases or limits is None:
        return []
    try:
        if limits._meta.db_table not in connection.introspection.table_names():
            return []  # not migrated yet
        if limits._default_manager.exists():
            return []
    except DatabaseError:
        return [Error("Database connection failed.", hint="manage.py check_env", id="core.E016")]
    return [
        CheckWarning(
            "There are no risk limits: every order will be denied.",
            hint="Set them in the admin or by `manage.py import_config`.",
            id="core.W017",
        )
    ]


def list_faults() -> list[str]:
    """Return what in the settings forbids a process to start, one line each."""
    found = run_checks(tags=[SETTINGS])
    return [f"{message.msg} {message.hint or ''}" for message in found if message.is_serious()]
