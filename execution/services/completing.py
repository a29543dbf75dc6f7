"""Asking the exchange for the trades that a report speaks of but does not bring."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from core.clock import Clock
from core.crashpoints import crashpoint
from core.errors import ExchangeError
from execution.domain.fill import OrderReport
from execution.ports import Broker
from execution.services.fills import Recorded, record_reports


def complete(report: OrderReport, broker: Broker) -> OrderReport:
    """Return the report with all its trades: from the exchange when it brought too few.

    Raises:
        TemporaryExchangeError: The exchange could not tell now.
    """
    told = sum((execution.quantity for execution in report.executions), Decimal(0))
    if told >= report.filled_quantity:
        return report
    trades = broker.trades(report.symbol, venue_order_id=report.venue_order_id)
    return replace(report, executions=trades)


def record_complete(
    *, account_id: int, reports: Sequence[OrderReport], broker: Broker, now: datetime
) -> Recorded:
    """Book reports with all their trades."""
    whole = [complete(report, broker) for report in reports]
    return record_reports(account_id=account_id, reports=whole, now=now)


def record_live(
    *, account_id: int, reports: Sequence[OrderReport], broker: Broker, clock: Clock
) -> Recorded:
    """Book what a stream or a reply brought, then ask for what it left out."""
    recorded = record_reports(account_id=account_id, reports=reports, now=clock.now())
    if recorded.fill_count:
        crashpoint("fills.committed")
    if not recorded.incomplete:
        return recorded
    missing = {
        report.client_order_id: report
        for report in sorted(reports, key=lambda report: report.filled_quantity)
        if report.client_order_id in recorded.incomplete
    }
    try:
        entries = [broker.query(symbol, name) for symbol, name in recorded.needed]
        second = record_complete(
            account_id=account_id,
            reports=[*(entry for entry in entries if entry is not None), *missing.values()],
            broker=broker,
            now=clock.now(),
        )
    except ExchangeError:
        # The orders are not final here, so reconciliation asks again.
        return recorded
    return replace(second, protect_ids=(*recorded.protect_ids, *second.protect_ids))
