"""``manage.py trade``: the whole system in one supervised tree of processes."""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tradingsite.settings.env import ROOT, TradingMode
from tradingsite.supervisor.order import Order

_PROBE_TIMEOUT_S = 2.0
_PRICES_TIMEOUT_S = 10.0
# Binance's public market data: no key, no account.
MIRRORED_URL = "https://data-api.binance.vision"


class Command(BaseCommand):
    """Run everything until Ctrl-C."""

    help = (
        "Run the whole system: broker, workers, schedule, streams, guardian and web server. "
        "Example: manage.py trade --demo"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="trade on the local exchange")
        parser.add_argument("--no-api", action="store_true", help="without the web server")

    def handle(self, *args: Any, **options: Any) -> None:
        mode = TradingMode.DEMO if options["demo"] else settings.TRADING_MODE
        mirror = (settings.SIM_MIRROR or MIRRORED_URL).rstrip("/")
        if mode is TradingMode.PAPER:
            _require_prices(mirror)
        if settings.CHOSEN_REDIS_URL:
            _require_answer(settings.CHOSEN_REDIS_URL)
        order = Order(
            mode=mode.value,
            data_dir=str(settings.DATA_DIR),
            log_file=str(settings.LOG_FILE),
            port=settings.PORT,
            with_web=not options["no_api"],
            with_broker=not settings.CHOSEN_REDIS_URL,
            sim_port=settings.SIM_PORT,
            sim_data=str(Path(settings.SIM_DATA).resolve()) if settings.SIM_DATA else "",
            sim_speed=float(settings.SIM_SPEED),
            sim_mirror=mirror,
            record_into=_recording_folder(),
            asked_at_s=time.monotonic(),
        )
        os.chdir(ROOT)
        # The same process from here on, without the 60 MB that reading the settings took.
        program = [sys.executable, "-m", "tradingsite.supervisor", order.to_text()]
        os.execv(sys.executable, program)  # noqa: S606 - our own, no shell


def _recording_folder() -> str:
    if not settings.RECORD_SESSIONS:
        return ""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    return str(settings.DATA_DIR / "recordings" / stamp)


def _require_prices(url: str) -> None:
    try:
        requests.get(f"{url}/api/v3/ping", timeout=_PRICES_TIMEOUT_S).raise_for_status()
    except (requests.RequestException, ValueError) as error:
        raise CommandError(
            f"TRADING_MODE=paper follows real prices, and {url} does not answer "
            f"({type(error).__name__}). Connect this machine to the internet, name another "
            "exchange's address in SIM_MIRROR, or use --demo."
        ) from error


def _require_answer(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=_PROBE_TIMEOUT_S) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise CommandError(
            "No Redis answers at REDIS_URL. Start it, or unset REDIS_URL to use the bundled one."
        ) from error
