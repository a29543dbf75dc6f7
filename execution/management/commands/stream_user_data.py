"""The exchange's reports on our orders, booked as they come."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from core import health
from core.checks import SETTINGS
from core.clock import get_clock
from core.errors import TradingError
from core.keys.manager import get_credentials
from core.pulse import Pulse
from core.recording.tape import step
from execution.adapters.binance_reports import execution_report
from execution.adapters.binance_user_stream import read_user_events
from execution.adapters.factory import get_broker
from execution.ports import Broker
from execution.services.accounts import open_account
from execution.services.completing import record_live
from execution.services.protection import send_protection
from execution.services.reconciliation import sync_orders
from markets.adapters.factory import get_addresses
from risk.services.storage import note_failure

logger = logging.getLogger(__name__)

# Steps of a recorded session.
BOOK = "user events"
PULSE = "stream_user_data"
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_BEAT_S = 5.0


class Command(BaseCommand):
    """Books through the same services as everything else; nothing is lost while it is away."""

    help = (
        "Follow the account's order reports until stopped; after every (re)connect the open "
        "orders are compared by REST. Example: manage.py stream_user_data --silence 30"
    )
    requires_system_checks = [SETTINGS]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--silence", type=float, default=30.0, help="wall seconds without an event: reconnect"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        clock = get_clock()
        account = open_account(
            name=settings.ACCOUNT_NAME,
            mode=str(settings.TRADING_MODE),
            quote_asset="USDT",
            now=clock.now(),
        )
        follower = build_follower(
            account_id=account.pk, silence_s=options["silence"], say=self.stdout.write
        )
        asyncio.run(_run_until_stopped(follower))
        self.stdout.write("stream_user_data: stopped")


def build_follower(
    *, account_id: int, silence_s: float, say: Callable[[str], object]
) -> "Follower":
    """Return who follows the account's events, with a broker of its own."""
    return Follower(account_id=account_id, broker=get_broker(), silence_s=silence_s, say=say)


class Follower:
    """Keeps a stream and books what it brings, in batches and in order, on one thread."""

    def __init__(
        self, *, account_id: int, broker: Broker, silence_s: float, say: Callable[[str], object]
    ) -> None:
        self._say = say
        self._account_id = account_id
        self.broker = broker
        self._silence_s = silence_s
        self._clock = get_clock()
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._is_connected = False
        self._losses = 0
        self._last_error = ""

    async def run(self) -> None:
        """Follow until cancelled."""
        tasks = [asyncio.create_task(self._book_all()), asyncio.create_task(self._beat())]
        try:
            await self._keep_connected()
        finally:
            for task in tasks:
                task.cancel()

    async def _keep_connected(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            try:
                async for event in read_user_events(
                    addresses=get_addresses(),
                    clock=self._clock,
                    credentials=get_credentials("binance"),
                    silence_s=self._silence_s,
                ):
                    wait_s = _FIRST_WAIT_S
                    self._take(event)
            except TradingError as error:
                self._is_connected = False
                self._losses += 1
                self._last_error = error.message
                logger.warning("user_stream.lost code=%s %s", error.code, error.message)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    def _take(self, event: dict[str, Any]) -> None:
        if event.get("e") == "connected":
            self._is_connected = True
            self._say("stream_user_data: connected")
            self._events.put_nowait(None)  # compare by REST, in turn with the events
        elif event.get("e") == "executionReport":
            self._events.put_nowait(event)

    async def _book_all(self) -> None:
        while True:
            batch = [await self._events.get()]
            while not self._events.empty():
                batch.append(self._events.get_nowait())
            try:
                await asyncio.to_thread(self.book, batch)
            except (TradingError, DatabaseError, OSError) as error:
                # What was not booked is found by the guardian's comparison; so is it by the next.
                note_failure(error)
                self._last_error = f"{type(error).__name__}: {error}"
                logger.warning("user_stream.not_booked count=%s %s", len(batch), error)
                await asyncio.sleep(1)
                self._events.put_nowait(None)

    def book(self, batch: list[dict[str, Any] | None]) -> None:
        """Book the events of a batch; None among them: compare by REST too."""
        close_old_connections()
        with step(BOOK, batch):
            self._book(batch)

    def _book(self, batch: list[dict[str, Any] | None]) -> None:
        reports = [execution_report(event) for event in batch if event is not None]
        recorded = record_live(
            account_id=self._account_id, reports=reports, broker=self.broker, clock=self._clock
        )
        if len(reports) < len(batch):
            sync_orders(account_id=self._account_id, broker=self.broker, clock=self._clock)
        send_protection(list_ids=recorded.protect_ids, broker=self.broker, clock=self._clock)

    async def _beat(self) -> None:
        pulse = Pulse(settings.DATA_DIR, PULSE)
        while True:
            pulse.beat()
            detail = {"losses": self._losses, "error": self._last_error}
            await asyncio.to_thread(
                health.beat,
                "stream.user",
                now=self._clock.now(),
                detail=detail,
                is_well=self._is_connected,
            )
            await asyncio.sleep(_BEAT_S)


async def _run_until_stopped(follower: Follower) -> None:
    task = asyncio.ensure_future(follower.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
