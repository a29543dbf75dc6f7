"""The account's rows, read once for all checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from core.clock import Clock
from execution.domain.truth import VenueTruth
from execution.models import (
    Account,
    Balance,
    Decision,
    Fill,
    LedgerEntry,
    Order,
    Position,
    SubmitAttempt,
)
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_rules


@dataclass(frozen=True, kw_only=True)
class ReplayedSession:
    """A recorded session, and what its replay came to; None: it was not replayed."""

    name: str
    verdict: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What lies beside the database: log files, and the newest recorded session if there is one."""

    log_paths: Sequence[str] = ()
    replay: ReplayedSession | None = None


@dataclass(kw_only=True)
class World:
    """Our books of one account beside the exchange's.

    Attributes:
        truth: The exchange's side; None leaves out what needs it.
        secrets: What must not be found in any row or file.
        beside: Log files, and the newest recorded session.
    """

    account: Account
    now: datetime
    clock: Clock
    truth: VenueTruth | None
    secrets: Sequence[str] = ()
    beside: Beside = Beside()

    @cached_property
    def rules(self) -> dict[int, InstrumentRules]:
        return list_rules()

    @cached_property
    def orders(self) -> list[Order]:
        rows = Order.objects.filter(account=self.account)
        return list(rows.select_related("instrument", "supersedes", "parent").order_by("pk"))

    @cached_property
    def orders_by_name(self) -> dict[str, Order]:
        """Orders by the client id that the exchange knows them by."""
        return {
            str(order.context.get("client_order_id") or order.client_order_id): order
            for order in self.orders
        }

    @cached_property
    def orders_at_venue(self) -> dict[tuple[str, int], Order]:
        return {
            (order.instrument.symbol, order.venue_order_id): order
            for order in self.orders
            if order.venue_order_id is not None
        }

    @cached_property
    def attempts(self) -> list[SubmitAttempt]:
        rows = SubmitAttempt.objects.filter(order__account=self.account)
        return list(rows.order_by("pk"))

    @cached_property
    def fills(self) -> list[Fill]:
        rows = Fill.objects.filter(account=self.account)
        return list(rows.select_related("order").order_by("pk"))

    @cached_property
    def positions(self) -> list[Position]:
        return list(Position.objects.filter(account=self.account).order_by("pk"))

    @cached_property
    def fills_by_position(self) -> dict[int, list[Fill]]:
        grouped: dict[int, list[Fill]] = {}
        for fill in self.fills:
            if fill.position_id is not None:
                grouped.setdefault(fill.position_id, []).append(fill)
        return grouped

    @cached_property
    def balances(self) -> dict[str, Decimal]:
        rows = Balance.objects.filter(account=self.account)
        return dict(rows.values_list("asset", "total"))

    @cached_property
    def ledger_sums(self) -> dict[str, Decimal]:
        """Sums of the ledger's entries, added up here: SQLite would add them as floats."""
        sums: dict[str, Decimal] = {}
        rows = LedgerEntry.objects.filter(account=self.account).order_by("pk")
        for asset, change in rows.values_list("asset", "change").iterator(chunk_size=2000):
            sums[asset] = sums.get(asset, Decimal(0)) + change
        return sums

    @cached_property
    def decisions(self) -> list[Decision]:
        rows = Decision.objects.filter(strategy__account=self.account)
        return list(rows.select_related("prediction").order_by("pk"))
