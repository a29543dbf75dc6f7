"""What the services need of an exchange."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from execution.domain.fill import Execution, OrderReport
from execution.domain.outcome import Outcome, Reaction
from execution.domain.request import (
    AmendRequest,
    CancelRequest,
    ListRequest,
    OrderRequest,
    ReplaceRequest,
)
from markets.domain.filters import Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueReply:
    """What came back from a request that may have changed something.

    Attributes:
        outcome: Its class; UNKNOWN when the reply was lost or says so itself.
        reports: The orders it tells of: none unless ACCEPTED.
        venue_list_id: Of an order list.
        evidence: What was seen, without secrets: status, code, message.
        retry_after: How long to leave the exchange alone, wall time.
        cancel: Of a cancel-replace what became of the cancel; the rest tells of the new order.
    """

    outcome: Outcome
    reports: tuple[OrderReport, ...] = ()
    venue_list_id: int | None = None
    code: int = 0
    message: str = ""
    reaction: Reaction | None = None
    retry_after: timedelta | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    cancel: "VenueReply | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueBalance:
    """What the exchange holds for us of one asset."""

    asset: str
    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


class Broker(Protocol):
    """An account at an exchange.

    Writing calls send exactly once and never raise for what the exchange did: they return its
    class. Before the first byte they check that the digest of what leaves equals
    `request_sha256`. They bear the time `signed_at` of their write-ahead record, however late
    they leave: the exchange refuses what is older than its receive window, so that a sender that
    froze in between cannot place an order whose absence was proved meanwhile.

    Reading calls raise ``TemporaryExchangeError`` (ask again) or ``ExchangeError``; an error
    is never evidence that something does not exist.
    """

    def submit(
        self, request: OrderRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        """Send one order, once."""

    def submit_list(
        self, request: ListRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        """Send one pair, or an entry with the pair that waits for it, once."""

    def replace(
        self, request: ReplaceRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        """Cancel one order and place another, once; the reply tells of both halves."""

    def amend(
        self, request: AmendRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        """Make an order smaller, once. REJECTED: it is as it was, or not open any more."""

    def cancel(
        self, request: CancelRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        """Cancel one order or list, once. REJECTED: nothing such is open."""

    def cancel_all(self, symbol: str) -> VenueReply:
        """Cancel whatever is open in one symbol. Safe to repeat."""

    def query(self, symbol: str, client_order_id: str) -> OrderReport | None:
        """Return one order; None when the exchange says that it does not know it (yet)."""

    def open_orders(self, symbol: str | None = None) -> tuple[OrderReport, ...]:
        """Return what is open, in one symbol or in all."""

    def all_orders(self, symbol: str, *, since: datetime) -> tuple[OrderReport, ...]:
        """Return every order of a symbol created since."""

    def trades(
        self,
        symbol: str,
        *,
        since: datetime | None = None,
        venue_order_id: int | None = None,
        from_id: int | None = None,
    ) -> tuple[Execution, ...]:
        """Return our executions in a symbol: since a time, of one order, or from a trade id on."""

    def balances(self) -> tuple[VenueBalance, ...]:
        """Return all balances that are not zero."""

    def listing(self, symbol: str) -> Listing:
        """Return the exchange's present rules of a symbol.

        Raises:
            ExchangeError: It could not tell, or does not list it.
        """

    def quiet_for(self) -> timedelta:
        """Return for how long (wall) the exchange asked to be left alone; zero usually."""

    def server_time(self) -> datetime:
        """Return the exchange's clock."""
