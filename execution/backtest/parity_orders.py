"""Orders and fills against what a replay would send, and fill at the next open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import to_ms
from execution.backtest.findings import Findings, Kind, Stage
from execution.backtest.series import Series
from execution.domain.order import Side
from execution.domain.proposal import entry_quantity
from markets.domain.instrument import InstrumentRules

_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOrder:
    """What became of an ENTER or EXIT decision; `state` is None where no order was made."""

    symbol: str
    close_ms: int
    side: Side
    price: Decimal
    notional: Decimal
    is_flat: bool
    state: str | None = None
    reason: str = ""
    quantity: Decimal = Decimal(0)
    filled_quantity: Decimal = Decimal(0)
    filled_quote: Decimal = Decimal(0)
    filled_at: datetime | None = None


def compare_orders(
    rules: InstrumentRules, series: Series, orders: Sequence[LiveOrder], findings: Findings
) -> None:
    """Hold orders and their fills against what the replay would send and fill at the next open."""
    for order in orders:
        wanted = order.quantity
        if order.side is Side.BUY:
            wanted = entry_quantity(notional=order.notional, price=order.price, rules=rules)
        kind = _kind_of_order(order, wanted)
        findings.add(
            Stage.ORDER,
            kind,
            symbol=order.symbol,
            close_ms=order.close_ms,
            live={"state": order.state, "reason": order.reason, "quantity": str(order.quantity)},
            replayed={"quantity": str(wanted)},
        )
        if kind is Kind.EQUAL:
            _compare_fill(series, order, findings)


def _kind_of_order(order: LiveOrder, wanted: Decimal) -> Kind:
    if order.state is None:
        return Kind.FLAT_ALREADY if order.is_flat else Kind.UNEXPLAINED
    if order.state == "DENIED":
        return Kind.DENIED
    if order.quantity != wanted:
        return Kind.UNEXPLAINED
    if order.state in ("LAPSED", "REJECTED", "NOT_ACCEPTED"):
        return Kind.NOT_SENT
    return Kind.EQUAL


def _compare_fill(series: Series, order: LiveOrder, findings: Findings) -> None:
    """Compare the mean price with the next open, what a replay without costs would pay."""
    row = int(series.candles.open_time_ms.searchsorted(order.close_ms))
    screen = float(series.candles.open[row]) if row < len(series) else None
    live: dict[str, Any] = {"quantity": str(order.filled_quantity)}
    again: dict[str, Any] = {"quantity": str(order.quantity), "price": screen}
    if not order.filled_quantity:
        kind = Kind.MISSED_FILL
    else:
        price = float(order.filled_quote / order.filled_quantity)
        live["price"] = price
        if order.filled_at is not None:
            live["latency_ms"] = to_ms(order.filled_at) - order.close_ms
        kind = Kind.EQUAL
        if screen is None:
            kind = Kind.CANDLES_MISSING
        else:
            sign = 1 if order.side is Side.BUY else -1
            slippage = sign * (price / screen - 1.0) * _BPS
            findings.slippage_bps.append(slippage)
            live["slippage_bps"] = slippage
            kind = Kind.SLIPPAGE if price != screen else Kind.EQUAL
        if order.filled_quantity < order.quantity:
            kind = Kind.PARTIAL_FILL
    findings.add(
        Stage.FILL,
        kind,
        symbol=order.symbol,
        close_ms=order.close_ms,
        live=live,
        replayed=again,
    )
