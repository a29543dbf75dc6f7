"""Look at every variable and service: ok, missing or wrong, and what to do."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.core.checks import run_checks
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from core.errors import NeedsOperator
from core.keys.manager import get_credentials
from core.masking import mask_text
from tradingsite.settings.variables import VARIABLES

_NEEDS_KEYS = ("testnet", "live")
_NEEDED_BY_MODE = ("API_TOKEN", "SECRET_KEY")
_MIN_FREE_BYTES = 500_000_000


# Warnings that leave somebody helpless when it matters.
_NEEDS_MENDING = {"risk.W001"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one look gave; `fix` is set when something must be done."""

    name: str
    verdict: str
    fix: str = ""


def list_findings() -> Iterator[Finding]:
    """Yield what is found of every variable and service."""
    yield from _variables()
    yield _keys()
    database = _database()
    is_database_ready = database.verdict.startswith("ok")
    yield database
    yield _redis()
    yield _disk()
    databases = [connection.alias] if is_database_ready else None
    for message in run_checks(include_deployment_checks=False, databases=databases):
        if message.is_serious() or message.id in _NEEDS_MENDING:
            yield Finding(name=message.id or "check", verdict="wrong", fix=_words(message))


def _variables() -> Iterator[Finding]:
    """The settings were read, so no value is malformed; some may be missing."""
    for variable in VARIABLES:
        value = os.environ.get(variable.name, "").strip()
        is_needed = variable.name in _NEEDED_BY_MODE and settings.TRADING_MODE in _NEEDS_KEYS
        if variable.name == "MASTER_PASSWORD":
            is_needed = settings.KEY_STORE == "file"
        if value:
            shown = "set" if variable.is_secret else mask_text(value)
            yield Finding(name=variable.name, verdict=f"ok ({shown})")
        elif is_needed:
            fix = f"set it in .env: {variable.about}; `manage.py create_env` makes one"
            yield Finding(name=variable.name, verdict="missing", fix=fix)
        else:
            yield Finding(name=variable.name, verdict="ok (not set)")


def _keys() -> Finding:
    if settings.TRADING_MODE not in _NEEDS_KEYS:
        return Finding(name="exchange keys", verdict="ok (the local exchange makes its own)")
    try:
        get_credentials()
    except NeedsOperator as error:
        fix = f"{error.message} {error.context.get('fix', '')}"
        return Finding(name="exchange keys", verdict="missing", fix=fix)
    return Finding(name="exchange keys", verdict=f"ok (from {settings.KEY_STORE})")


def _database() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        reason = mask_text(str(error).strip().splitlines()[0])
        fix = f"Database connection failed: {reason}. Is it running, and DATABASE_URL right?"
        return Finding(name="database", verdict="wrong", fix=fix)
    if missing:
        fix = f"{len(missing)} migrations are missing: run `manage.py migrate`"
        return Finding(name="database", verdict="wrong", fix=fix)
    return Finding(name="database", verdict=f"ok ({connection.vendor})")


def _redis() -> Finding:
    if not settings.CHOSEN_REDIS_URL and settings.TRADING_MODE not in _NEEDS_KEYS:
        return Finding(name="redis", verdict="ok (`manage.py trade` starts its own)")
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2
        ) as client:
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except (redis.RedisError, OSError, ValueError) as error:
        fix = f"{mask_text(str(error))}. Is it running, and REDIS_URL right?"
        return Finding(name="redis", verdict="wrong", fix=fix)
    if policy != "noeviction":
        fix = f"it may throw messages away: set maxmemory-policy to noeviction, was {policy}"
        return Finding(name="redis", verdict="wrong", fix=fix)
    return Finding(name="redis", verdict="ok")


def _disk() -> Finding:
    folder = settings.DATA_DIR
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        fix = f"{folder} cannot be written: set DATA_DIR to another folder"
        return Finding(name="disk", verdict="wrong", fix=fix)
    free = shutil.disk_usage(folder).free
    if free < _MIN_FREE_BYTES:
        fix = f"only {free // 1_000_000} MB free in {folder}: make room, or set DATA_DIR"
        return Finding(name="disk", verdict="wrong", fix=fix)
    return Finding(name="disk", verdict=f"ok ({free // 1_000_000_000} GB free)")


def _words(message: Any) -> str:
    return f"{message.msg} {message.hint or ''}".strip()


class Command(BaseCommand):
    """Exit 1 when anything is missing or wrong."""

    help = (
        "Checks each variable and service: ok, missing or wrong, with the fix. "
        "Example: manage.py check_env"
    )
    requires_system_checks: Any = []

    def handle(self, *args: Any, **options: Any) -> None:
        problems = 0
        for finding in list_findings():
            self.stdout.write(f"{finding.name:22} {finding.verdict}")
            if finding.fix:
                problems += 1
                self.stdout.write(f"{'':22} -> {finding.fix}")
        self.stdout.write("Everything is in order." if not problems else f"{problems} to mend.")
        if problems:
            sys.exit(1)
