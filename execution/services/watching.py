"""What the guardian watches beside the orders: silence, standstill, and clocks that are off.

It raises the kill switch where trading on would be blind, and alerts where a person must look. It
never lowers anything.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from alerts.services.raising import raise_alert
from core.clock import Clock
from core.errors import InvalidInput
from core.health import ComponentStatus, ComponentView
from core.recording.tape import told
from execution.domain.order import RESTING_STATES, Leg
from execution.models import Decision, Order, Strategy
from execution.ports import Broker
from execution.services.cancels import cancel_orders
from markets.domain.timeframe import Timeframe
from risk.domain.trading_state import GLOBAL, Level, parse_scope
from risk.services.trading_state import raise_level, read_state

logger = logging.getLogger(__name__)

WATCH_EVERY = timedelta(seconds=5)
CLOCK_EVERY = timedelta(seconds=30)
# The exchange refuses what is signed a second ahead of it.
WORST_OFFSET = timedelta(seconds=1)
# Entries do not rest without somebody who could cancel them.
GATEWAY = "worker.orders"
DEAD_MAN_S = 15.0
USER_STREAM = "stream.user"
DEAF_S = 60.0
STUCK_S = 60.0
# A strategy that decides nothing for so many of its candles has lost its data or its workers.
SILENT_BARS = 3


@dataclass(slots=True, kw_only=True)
class Watch:
    """The watchman's memory; what he saw first and when.

    Attributes:
        kill_file: Its presence raises the kill switch, whoever put it there.
        read_components: Reads the heart-beats; empty while nobody knows.
    """

    account_id: int
    broker: Broker
    clock: Clock
    kill_file: Path
    read_components: Callable[[], Sequence[ComponentView]]
    clock_at: datetime | None = None
    offset_ms: int | None = None
    silent_since: dict[str, datetime] = field(default_factory=dict)

    def obey_file(self) -> bool:
        """Raise what the kill file asks for; return whether it is there.

        Its text is ``LEVEL [SCOPE] [reason]``; what cannot be read is CANCEL of everything. While
        it stays there, a re-armed switch is raised again.
        """
        asked = told("kill file", lambda: _ask_kill_file(self.kill_file))
        if asked is None:
            return False
        level, scope, reason = Level(asked[0]), asked[1], asked[2]
        if read_state(scopes=[scope]).level < level:
            raise_level(
                level=level, reason=reason, actor="file:kill", now=self.clock.now(), scope=scope
            )
        return True

    def look_at_components(self) -> None:
        """Act on processes that are silent: dead-man, deaf stream, queues that stand still."""
        views = {view.name: view for view in self.read_components()}
        if GATEWAY in views and views[GATEWAY].age_s > DEAD_MAN_S:
            self._cancel_entries(views[GATEWAY])
        if USER_STREAM in views:
            self._judge_stream(views[USER_STREAM])
        if "beat" in views and views["beat"].status is ComponentStatus.OK:
            # The schedule turns: a queue whose tick is not done has no worker that works.
            for name in sorted(views):
                if name.startswith("queue.") and views[name].age_s > STUCK_S:
                    self._alert(
                        "QUEUE_STUCK",
                        f"Nothing was done in {name} for {views[name].age_s:.0f} s",
                        {"queue": name, "age_s": views[name].age_s},
                    )

    def _cancel_entries(self, gateway: ComponentView) -> None:
        resting = list(
            Order.objects.filter(
                account_id=self.account_id,
                leg=Leg.ENTRY.value,
                state__in=[state.value for state in RESTING_STATES],
            ).order_by("pk")
        )
        if not resting:
            return
        cancel_orders(orders=resting, broker=self.broker, clock=self.clock)
        self._alert(
            "GATEWAY_SILENT",
            f"{gateway.name} is silent for {gateway.age_s:.0f} s: its entries were cancelled",
            {"order_ids": [order.pk for order in resting]},
        )

    def _judge_stream(self, stream: ComponentView) -> None:
        """Close the door for entries when nobody has heard the exchange for too long."""
        now = self.clock.now()
        if stream.status is ComponentStatus.OK:
            self.silent_since.pop(stream.name, None)
            return
        since = self.silent_since.setdefault(stream.name, now)
        if now - since < self.clock.protocol(timedelta(seconds=DEAF_S)):
            return
        reason = f"the user stream is {stream.status} for {DEAF_S:.0f} s"
        raise_level(
            level=Level.REDUCE_ONLY, reason=reason, actor="auto:deaf_stream", now=self.clock.now()
        )

    def look_at_clock(self) -> None:
        """Compare our clock with the exchange's, and close the door when it is surely wrong.

        Raises:
            ExchangeError: The exchange could not tell.
        """
        now = self.clock.now()
        if self.clock_at is not None and now - self.clock_at < self.clock.protocol(CLOCK_EVERY):
            return
        before = self.clock.now()
        theirs = self.broker.server_time()
        after = self.clock.now()
        self.clock_at = after
        offset = theirs - (before + (after - before) / 2)
        self.offset_ms = round(offset / self.clock.protocol(timedelta(milliseconds=1)))
        # Half of the round trip is not known: only what is beyond it is an error for certain.
        if abs(offset) - (after - before) / 2 > self.clock.protocol(WORST_OFFSET):
            raise_level(
                level=Level.REDUCE_ONLY,
                reason=f"our clock is {-self.offset_ms} ms off the exchange's",
                actor="auto:clock",
                now=after,
            )

    def look_at_decisions(self) -> None:
        """Tell when a strategy that should decide at every close has not for some candles."""
        if not read_state().is_running:
            return
        now = self.clock.now()
        rows = Strategy.objects.filter(account_id=self.account_id, is_enabled=True)
        for strategy in rows.order_by("pk"):
            newest = (
                Decision.objects.filter(strategy=strategy)
                .order_by("-close_time")
                .values_list("close_time", flat=True)
                .first()
            )
            bar = Timeframe(strategy.timeframe).delta
            if newest is not None and now - newest > (SILENT_BARS + 1) * bar:
                self._alert(
                    "NO_DECISION",
                    f"{strategy.name} has decided nothing since {newest:%Y-%m-%d %H:%M}",
                    {"strategy": strategy.name, "bars": int((now - newest) / bar)},
                )

    def _alert(self, code: str, message: str, context: dict[str, object]) -> None:
        raise_alert(
            code=code,
            severity="ERROR",
            message=message,
            context=context,
            dedupe_key=f"{code}:{self.account_id}:{sorted(map(str, context))}",
            now=self.clock.now(),
        )


def _ask_kill_file(path: Path) -> list[str] | None:
    if not path.exists():
        return None
    level, scope, reason = _read_kill_file(path)
    return [level.value, scope, reason]


def _read_kill_file(path: Path) -> tuple[Level, str, str]:
    """Return level, scope and reason; in doubt everything is cancelled."""
    try:
        words = path.read_text(encoding="utf-8", errors="replace").split()
    except OSError as error:
        return Level.CANCEL, GLOBAL, f"{path.name} cannot be read: {error}"
    level, scope = Level.CANCEL, GLOBAL
    if words and words[0].upper() in {item.value for item in Level if item > Level.ACTIVE}:
        level = Level(words.pop(0).upper())
    if words:
        try:
            scope = parse_scope(words[0])
            words.pop(0)
        except InvalidInput:
            scope = GLOBAL
    return level, scope, " ".join(words)[:500] or f"the file {path.name} is there"
