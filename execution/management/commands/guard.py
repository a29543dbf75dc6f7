"""The guardian: the process that is the last to die."""

import signal
import threading
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from core import health
from core.checks import SETTINGS
from core.clock import get_clock
from core.errors import TradingError
from execution.adapters.factory import get_broker
from execution.services.accounts import open_account
from execution.services.guarding import Guardian
from execution.services.reconciliation import close_gate

_LONGEST_BACKOFF_S = 10.0


class Command(BaseCommand):
    """Needs the database and the exchange, neither Celery nor Redis nor the web server."""

    help = (
        "Send what was left unsent, resolve unknown orders, protect positions, enforce the kill "
        "switch and reconcile, until stopped. Example: manage.py guard --interval 0.5"
    )
    requires_system_checks = [SETTINGS]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=0.5, help="wall seconds per round")
        parser.add_argument("--rounds", type=int, default=0, help="stop after so many; 0: never")
        parser.add_argument("--quote-asset", default="USDT", help="of an account not opened yet")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        if threading.current_thread() is threading.main_thread():
            _stop_on_signals(stop)
        guardian: Guardian | None = None
        backoff_s, done = options["interval"], 0
        while not stop.is_set():
            close_old_connections()
            try:
                guardian = guardian or _build(stop, options["quote_asset"])
                is_well = guardian.run_round()
                _beat(guardian, is_well=is_well)
            except (TradingError, DatabaseError, OSError) as error:
                is_well = False
                self.stderr.write(f"guard: {type(error).__name__}: {error}")
            done += 1
            if options["rounds"] and done >= options["rounds"]:
                return
            backoff_s = options["interval"] if is_well else min(backoff_s * 2, _LONGEST_BACKOFF_S)
            stop.wait(backoff_s)
        self.stdout.write("guard: stopped")


def _build(stop: threading.Event, quote_asset: str) -> Guardian:
    def pause(seconds: float) -> None:
        stop.wait(seconds)

    clock = get_clock()
    account = open_account(
        name=settings.ACCOUNT_NAME,
        mode=str(settings.TRADING_MODE),
        quote_asset=quote_asset,
        now=clock.now(),
    )
    # What happened while nobody looked is booked before anything leaves.
    close_gate(account_id=account.pk)
    return Guardian(
        account_id=account.pk,
        broker=get_broker(),
        clock=clock,
        pause=pause,
    )


def _beat(guardian: Guardian, *, is_well: bool) -> None:
    detail: dict[str, Any] = {
        "account_id": guardian.account_id,
        "reconciled_at": guardian.reconciled_at.isoformat() if guardian.reconciled_at else None,
    }
    if not is_well:
        detail["error"] = "; ".join(f"{k}: {v}" for k, v in guardian.failures.items())
    health.beat("guard", now=guardian.clock.now(), detail=detail, is_well=is_well)


def _stop_on_signals(stop: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
