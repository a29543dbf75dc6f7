"""One round of the guardian: everything that must be true at the exchange, made so."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import DatabaseError

from core.clock import Clock
from core.errors import TradingError
from execution.domain.decision import Action
from execution.domain.order import Leg, OrderState
from execution.models import Decision, Order
from execution.ports import Broker
from execution.services.amending import resolve_amends
from execution.services.brackets import settle_brackets
from execution.services.coverage import measure_unprotected
from execution.services.equity import record_equity
from execution.services.kill import cancel_resting
from execution.services.orders import place_orders, send_orders
from execution.services.protection import protect_positions
from execution.services.reconciliation import reconcile_account, sync_orders
from execution.services.resolution import resolve_unknown, resume_cancels
from execution.services.watching import WATCH_EVERY, Watch
from risk.services.storage import halt_if_failed, note_failure

logger = logging.getLogger(__name__)

# The orders worker gets this long for what is its own.
_GRACE = timedelta(seconds=1)
# A decision that nobody placed within this time is old news.
_FRESH = timedelta(seconds=60)
SYNC_EVERY = timedelta(seconds=5)
RECONCILE_EVERY = timedelta(seconds=60)
_LEGS = (Leg.ENTRY.value, Leg.EXIT.value, Leg.MANUAL.value)


@dataclass(slots=True, kw_only=True)
class Guardian:
    """The guardian's memory between rounds: only when it did what last. All else is rows."""

    account_id: int
    broker: Broker
    clock: Clock
    pause: Callable[[float], None]
    watch: Watch | None = None
    # Called after each duty: this process goes on.
    pulse: Callable[[], None] | None = None
    watched_at: datetime | None = None
    valued_at: datetime | None = None
    # Wall seconds without a stop: of the barest position now, and the longest ever seen.
    unprotected_s: float = 0.0
    longest_unprotected_s: float = 0.0
    synced_at: datetime | None = None
    reconciled_at: datetime | None = None
    failures: dict[str, str] = field(default_factory=dict)

    def run_round(self) -> bool:
        """Do every duty once; one that fails does not keep the others from theirs.

        Returns:
            Whether every duty was done.
        """
        self.failures = {}
        quiet = self.broker.quiet_for()
        if quiet:
            # Asked to be left alone: not a request, or the ban gets longer.
            self.failures["quiet"] = f"the exchange asked for {quiet.total_seconds():.1f} s"
        for name, duty in self._watches() if quiet else self._duties():
            try:
                duty()
            except (TradingError, DatabaseError, OSError) as error:
                note_failure(error)
                self.failures[name] = f"{type(error).__name__}: {str(error)[:200]}"
                logger.warning("guard.duty_failed duty=%s error=%s", name, self.failures[name])
                if isinstance(error, DatabaseError):
                    break  # without the database nothing can be known, and nothing is sent
            if self.pulse is not None:
                self.pulse()
        return not self.failures

    def _duties(self) -> list[tuple[str, Callable[[], object]]]:
        """Return the duties in their order; the first comparison comes before any order."""
        duties: list[tuple[str, Callable[[], object]]] = [
            ("storage", self._halt_if_storage_failed),
            ("kill", self._enforce_kill),
            *self._watches(),
            ("place", self._place_leftovers),
            ("resolve", self._resolve),
            ("brackets", self._settle_brackets),
            ("measure", self._measure),
            ("protect", self._protect),
            ("cancel", self._resume_cancels),
            ("sync", self._sync),
            ("value", self._value),
            ("reconcile", self._reconcile),
        ]
        if self.reconciled_at is None:
            duties.insert(2, duties.pop())
        return duties

    def _watches(self) -> list[tuple[str, Callable[[], object]]]:
        """Return what is watched in this round, each a duty of its own: one failing hides none."""
        if self.watch is None:
            return []
        duties: list[tuple[str, Callable[[], object]]] = [("kill file", self.watch.obey_file)]
        now = self.clock.now()
        if self._is_due(self.watched_at, WATCH_EVERY, now):
            self.watched_at = now
            duties += [
                ("components", self.watch.look_at_components),
                ("clock", self.watch.look_at_clock),
                ("decisions", self.watch.look_at_decisions),
            ]
        return duties

    def _halt_if_storage_failed(self) -> object:
        return halt_if_failed(now=self.clock.now())

    def _enforce_kill(self) -> object:
        return cancel_resting(account_id=self.account_id, broker=self.broker, clock=self.clock)

    def _place_leftovers(self) -> None:
        """Send what was approved and not claimed, and place decisions that nobody placed."""
        now = self.clock.now()
        grace, fresh = self.clock.protocol(_GRACE), self.clock.protocol(_FRESH)
        unsent = list(
            Order.objects.filter(
                account_id=self.account_id,
                state=OrderState.APPROVED.value,
                leg__in=_LEGS,
                created_at__lt=now - grace,
            )
            .order_by("-is_reduce_only", "pk")
            .values_list("pk", flat=True)
        )
        send_orders(order_ids=unsent, broker=self.broker, clock=self.clock)
        unplaced = list(
            Decision.objects.filter(
                strategy__account_id=self.account_id,
                created_at__gt=now - fresh,
                created_at__lt=now - grace,
                orders__isnull=True,
            )
            .exclude(action=Action.HOLD.value)
            .order_by("pk")
            .values_list("pk", flat=True)
        )
        if unplaced:
            place_orders(decision_ids=unplaced, broker=self.broker, clock=self.clock)

    def _resolve(self) -> object:
        resolve_amends(account_id=self.account_id, broker=self.broker, clock=self.clock)
        return resolve_unknown(account_id=self.account_id, broker=self.broker, clock=self.clock)

    def _settle_brackets(self) -> object:
        return settle_brackets(account_id=self.account_id, broker=self.broker, clock=self.clock)

    def _protect(self) -> object:
        return protect_positions(account_id=self.account_id, broker=self.broker, clock=self.clock)

    def _measure(self) -> None:
        bare = measure_unprotected(account_id=self.account_id, clock=self.clock)
        self.unprotected_s = max(bare.values(), default=0.0)
        self.longest_unprotected_s = max(self.longest_unprotected_s, self.unprotected_s)

    def _value(self) -> None:
        """Keep the account's worth, which closes the door at a loss limit, without any worker."""
        now = self.clock.now()
        if self._is_due(self.valued_at, RECONCILE_EVERY, now):
            record_equity(account_id=self.account_id, now=now)
            self.valued_at = now

    def _resume_cancels(self) -> object:
        return resume_cancels(account_id=self.account_id, broker=self.broker, clock=self.clock)

    def _sync(self) -> None:
        now = self.clock.now()
        if self._is_due(self.synced_at, SYNC_EVERY, now):
            sync_orders(account_id=self.account_id, broker=self.broker, clock=self.clock)
            self.synced_at = now

    def _reconcile(self) -> None:
        now = self.clock.now()
        if self._is_due(self.reconciled_at, RECONCILE_EVERY, now):
            reconcile_account(
                account_id=self.account_id,
                broker=self.broker,
                clock=self.clock,
                pause=self.pause,
            )
            self.reconciled_at = now

    def _is_due(self, last: datetime | None, every: timedelta, now: datetime) -> bool:
        return last is None or now - last >= self.clock.protocol(every)
