"""The guardian: the process that is the last to die."""

import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from core import health
from core.checks import SETTINGS
from core.clock import get_clock
from core.crashpoints import crashpoint
from core.errors import TradingError
from core.pulse import Pulse
from core.recording.tape import step, wait
from execution.adapters.factory import get_broker
from execution.services.accounts import open_account
from execution.services.guarding import Guardian
from execution.services.reconciliation import close_gate
from execution.services.watching import Watch
from risk.domain.trading_state import Level
from risk.services.storage import note_failure
from risk.services.trading_state import raise_level

# Steps of a recorded session.
START, ROUND = "guard start", "guard round"
PULSE = "guard"
# In DATA_DIR: while it is there, nothing is opened.
KILL_FILE = "KILL"
_LONGEST_BACKOFF_S = 10.0
_NAP_S = 0.1


class Command(BaseCommand):
    """Needs the database and the exchange, neither Celery nor Redis nor the web server."""

    help = (
        "Send what was left unsent, resolve unknown orders, protect positions, enforce the kill "
        "switch and reconcile, until stopped. SIGUSR1, or a file DATA_DIR/KILL with LEVEL [SCOPE] "
        "[reason], raises the kill switch. Example: manage.py guard --interval 0.5"
    )
    requires_system_checks = [SETTINGS]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--interval", type=float, default=0.5, help="wall seconds per round")
        parser.add_argument("--rounds", type=int, default=0, help="stop after so many; 0: never")
        parser.add_argument("--quote-asset", default="USDT", help="of an account not opened yet")

    def handle(self, *args: Any, **options: Any) -> None:
        stop, asked = threading.Event(), threading.Event()
        if threading.current_thread() is threading.main_thread():
            _listen_to_signals(stop, asked)
        guardian: Guardian | None = None
        pulse = Pulse(settings.DATA_DIR, PULSE)
        backoff_s, done = options["interval"], 0
        while not stop.is_set():
            pulse.beat()
            close_old_connections()
            try:
                if asked.is_set():
                    _raise_by_signal()
                    asked.clear()
                if guardian is None:
                    guardian = _begin(stop, options["quote_asset"])
                    guardian.pulse = pulse.beat
                with step(ROUND, {}):
                    is_well = guardian.run_round()
                _beat(guardian, is_well=is_well)
                crashpoint("guard.round")
            except (TradingError, DatabaseError, OSError) as error:
                note_failure(error)
                is_well = False
                self.stderr.write(f"guard: {type(error).__name__}: {error}")
            done += 1
            if options["rounds"] and done >= options["rounds"]:
                return
            backoff_s = options["interval"] if is_well else min(backoff_s * 2, _LONGEST_BACKOFF_S)
            if asked.is_set():  # not obeyed yet: the database does not answer
                stop.wait(options["interval"])
            else:
                _wait(stop, asked, backoff_s)
        self.stdout.write("guard: stopped")


def _begin(stop: threading.Event, quote_asset: str) -> Guardian:
    with step(START, {"quote_asset": quote_asset}):
        return build_guardian(stop, quote_asset)


def build_guardian(stop: threading.Event, quote_asset: str) -> Guardian:
    """Return a guardian of the configured account; its gate is closed until it has compared."""

    def pause(seconds: float) -> None:
        wait(lambda: stop.wait(seconds))

    clock = get_clock()
    account = open_account(
        name=settings.ACCOUNT_NAME,
        mode=str(settings.TRADING_MODE),
        quote_asset=quote_asset,
        now=clock.now(),
    )
    # What happened while nobody looked is booked before anything leaves.
    close_gate(account_id=account.pk)
    broker = get_broker()
    watch = Watch(
        account_id=account.pk,
        broker=broker,
        clock=clock,
        kill_file=Path(settings.DATA_DIR) / KILL_FILE,
        read_components=lambda: health.list_components(now=clock.now()),
    )
    return Guardian(account_id=account.pk, broker=broker, clock=clock, pause=pause, watch=watch)


def _raise_by_signal() -> None:
    raise_level(
        level=Level.CANCEL,
        reason="SIGUSR1 to the guardian",
        actor="signal:guard",
        now=get_clock().now(),
    )


def _wait(stop: threading.Event, asked: threading.Event, seconds: float) -> None:
    """Wait for the next round; a signal ends the wait."""
    deadline = time.monotonic() + seconds
    while not (stop.is_set() or asked.is_set()):
        left = deadline - time.monotonic()
        if left <= 0:
            return
        stop.wait(min(left, _NAP_S))


def _beat(guardian: Guardian, *, is_well: bool) -> None:
    detail: dict[str, Any] = {
        "account_id": guardian.account_id,
        "reconciled_at": guardian.reconciled_at.isoformat() if guardian.reconciled_at else None,
        "unprotected_s": guardian.unprotected_s,
        "longest_unprotected_s": guardian.longest_unprotected_s,
        "clock_offset_ms": guardian.watch.offset_ms if guardian.watch else None,
    }
    if not is_well:
        detail["error"] = "; ".join(f"{k}: {v}" for k, v in guardian.failures.items())
    health.beat("guard", now=guardian.clock.now(), detail=detail, is_well=is_well)


def _listen_to_signals(stop: threading.Event, asked: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    def kill(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    signal.signal(signal.SIGUSR1, kill)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
