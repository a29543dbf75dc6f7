"""Comparing the exchange's trades with our fills, and booking the missed ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.db import transaction

from core.clock import Clock
from execution.domain.fill import Execution, OrderReport, VenueStatus
from execution.models import Account, Fill, Order, TradeCursor
from execution.ports import Broker
from execution.services.fills import record_reports
from markets.selectors import list_rules
from risk.services.trading_state import lock_account

_ORDER_BEFORE_TRADE = timedelta(hours=1)


@dataclass(slots=True, kw_only=True)
class TradeCheck:
    """How many trades were compared, and what does not fit."""

    compared: int = 0
    booked: int = 0
    differences: list[dict[str, Any]] = field(default_factory=list)


def check_trades(
    *, account: Account, instrument_ids: Sequence[int], broker: Broker, clock: Clock
) -> TradeCheck:
    """Walk each symbol's trades from its cursor on; the cursor moves when they all agree.

    Raises:
        ExchangeError: The exchange could not answer.
    """
    result = TradeCheck()
    if account.opened_at is None:
        return result
    rules = list_rules(instrument_ids)
    cursors = dict(
        TradeCursor.objects.filter(account=account, instrument_id__in=instrument_ids).values_list(
            "instrument_id", "last_trade_id"
        )
    )
    for instrument_id in instrument_ids:
        symbol = rules[instrument_id].symbol
        last_id = cursors.get(instrument_id)
        trades = (
            broker.trades(symbol, since=account.opened_at)
            if last_id is None
            else broker.trades(symbol, from_id=last_id + 1)
        )
        if not trades:
            continue
        result.compared += len(trades)
        result.booked += _book_missing(
            account=account, instrument_id=instrument_id, trades=trades, broker=broker, clock=clock
        )
        wrong = _compare(account=account, instrument_id=instrument_id, trades=trades)
        result.differences += wrong
        if not wrong:
            _advance(account, instrument_id, trades[-1].trade_id, clock=clock)
    return result


def _book_missing(
    *,
    account: Account,
    instrument_id: int,
    trades: Sequence[Execution],
    broker: Broker,
    clock: Clock,
) -> int:
    known = set(
        Fill.objects.filter(
            account=account,
            instrument_id=instrument_id,
            venue_trade_id__in=[trade.trade_id for trade in trades],
        ).values_list("venue_trade_id", flat=True)
    )
    missing = [trade for trade in trades if trade.trade_id not in known]
    if not missing:
        return 0
    reports = _orders_of(
        account=account, instrument_id=instrument_id, trades=missing, broker=broker
    )
    recorded = record_reports(account_id=account.pk, reports=reports, now=clock.now())
    return recorded.fill_count


def _orders_of(
    *, account: Account, instrument_id: int, trades: Sequence[Execution], broker: Broker
) -> list[OrderReport]:
    """Return the orders of these trades, each with its trades."""
    by_order: dict[int, list[Execution]] = {}
    for trade in trades:
        by_order.setdefault(trade.venue_order_id, []).append(trade)
    symbol = trades[0].symbol
    names = dict(
        Order.objects.filter(
            account=account, instrument_id=instrument_id, venue_order_id__in=list(by_order)
        ).values_list("venue_order_id", "client_order_id")
    )
    since = min(trade.executed_at for trade in trades) - _ORDER_BEFORE_TRADE
    listed = {report.venue_order_id: report for report in broker.all_orders(symbol, since=since)}
    reports = []
    for number, own in by_order.items():
        report = listed.get(number)
        if report is None and number in names:
            report = broker.query(symbol, names[number])
        if report is None:
            report = _report_from_trades(number, own)
        reports.append(replace(report, executions=tuple(own)))
    return reports


def _report_from_trades(number: int, trades: Sequence[Execution]) -> OrderReport:
    """Return what an order must have been whose list entry is too old to ask for."""
    quantity = sum((trade.quantity for trade in trades[1:]), trades[0].quantity)
    quote = sum((trade.quote_quantity for trade in trades[1:]), trades[0].quote_quantity)
    return OrderReport(
        symbol=trades[0].symbol,
        client_order_id=f"venue-{number}",
        venue_order_id=number,
        side=trades[0].side,
        type="LIMIT",
        status=VenueStatus.PARTIALLY_FILLED,
        quantity=quantity,
        filled_quantity=quantity,
        filled_quote=quote,
        updated_at=trades[-1].executed_at,
    )


def _compare(
    *, account: Account, instrument_id: int, trades: Sequence[Execution]
) -> list[dict[str, Any]]:
    fills = {
        fill.venue_trade_id: fill
        for fill in Fill.objects.filter(
            account=account,
            instrument_id=instrument_id,
            venue_trade_id__in=[trade.trade_id for trade in trades],
        )
    }
    wrong = []
    for trade in trades:
        fill = fills.get(trade.trade_id)
        if fill is None:
            wrong.append(_difference("TRADE_NOT_BOOKED", trade))
        elif _figures_of_fill(fill) != _figures(trade):
            wrong.append(_difference("TRADE_DIFFERS", trade))
    return wrong


def _figures(trade: Execution) -> tuple[Any, ...]:
    return (
        trade.side.value,
        trade.price,
        trade.quantity,
        trade.quote_quantity,
        trade.fee,
        trade.fee_asset,
    )


def _figures_of_fill(fill: Fill) -> tuple[Any, ...]:
    return fill.side, fill.price, fill.quantity, fill.quote_quantity, fill.fee, fill.fee_asset


def _difference(kind: str, trade: Execution) -> dict[str, Any]:
    return {
        "kind": kind,
        "symbol": trade.symbol,
        "trade_id": trade.trade_id,
        "exchange": [str(item) for item in _figures(trade)],
    }


@transaction.atomic
def _advance(account: Account, instrument_id: int, last_trade_id: int, *, clock: Clock) -> None:
    lock_account(account.pk)
    cursor, _ = TradeCursor.objects.get_or_create(
        account=account, instrument_id=instrument_id, defaults={"updated_at": clock.now()}
    )
    if cursor.last_trade_id < last_trade_id:
        TradeCursor.objects.filter(pk=cursor.pk, last_trade_id=cursor.last_trade_id).update(
            last_trade_id=last_trade_id, updated_at=clock.now()
        )
