"""What an exchange holds for true of one account, to compare our books with."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from execution.domain.fill import Execution, OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """One request that reached the exchange, as its own log has it."""

    method: str
    path: str
    client_order_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTruth:
    """Orders, trades and balances of one account at one moment.

    Attributes:
        since: Nothing older is in here.
        orders: Every order created since then, open ones included.
        created_at: When the exchange took an order, by its number; may leave some out.
        totals: Free and locked together by asset; zero balances may be missing.
        requests: What reached the exchange; None: it does not tell.
    """

    since: datetime
    orders: tuple[OrderReport, ...]
    created_at: dict[tuple[str, int], datetime]
    executions: tuple[Execution, ...]
    totals: dict[str, Decimal]
    requests: tuple[SeenRequest, ...] | None = None
