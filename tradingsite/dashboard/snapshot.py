"""Everything a page needs to draw itself; its rows have the shapes of the live messages."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from alerts.selectors import list_alerts
from core.clock import from_ms
from core.health import ComponentStatus, list_components
from execution.selectors import list_decisions, list_fills, list_positions
from markets.selectors import (
    get_provenance,
    list_subscriptions,
    list_tickers,
    load_window,
)
from mlmodels.selectors import get_champion, get_version, list_predictions
from risk.selectors import latest_metrics, list_metrics
from risk.services.trading_state import read_state

_CANDLES, _DECISIONS, _FILLS, _PREDICTIONS, _EQUITY, _ALERTS = 300, 120, 200, 400, 1000, 30

Row = dict[str, Any]


def build_snapshot(*, now: datetime) -> Row:
    """Return the whole picture; a fixed number of queries per subscribed symbol.

    Args:
        now: Market time.
    """
    subscriptions = list_subscriptions()
    state = read_state()
    fills = list_fills()
    return {
        "instruments": [
            {
                "symbol": subscription.symbol,
                "timeframe": subscription.timeframe.value,
                "provenance": get_provenance(subscription.instrument_id),
            }
            for subscription in subscriptions
        ],
        "candles": [row for subscription in subscriptions for row in _candles(subscription)],
        "decisions": _decisions(),
        "fills": _fills(fills),
        "fillCount": fills.count(),
        "positions": _positions(),
        "predictions": _predictions(),
        "equity": _equity(),
        "metrics": _metrics(),
        "risk": {"level": state.level.value, "epoch": state.epoch, "is_running": state.is_running},
        "components": list_component_rows(now=now),
        "alerts": _alerts(),
        "models": _models(subscriptions),
        "prices": {
            symbol: ticker.price
            for symbol, ticker in list_tickers([s.symbol for s in subscriptions]).items()
        },
    }


def list_component_rows(*, now: datetime) -> list[Row]:
    """Return the health of every component that has ever beaten."""
    return [
        {
            "name": view.name,
            "status": view.status.value,
            "is_healthy": view.status is ComponentStatus.OK,
            "age_s": view.age_s,
            "detail": view.detail,
        }
        for view in list_components(now=now)
    ]


def _candles(subscription: Any) -> Iterable[Row]:
    window = load_window(
        instrument_id=subscription.instrument_id,
        timeframe=subscription.timeframe,
        limit=_CANDLES,
    )
    for index in range(len(window)):
        yield {
            "symbol": subscription.symbol,
            "timeframe": subscription.timeframe.value,
            "open_time": from_ms(int(window.open_time_ms[index])),
            **{
                name: float(getattr(window, name)[index])
                for name in ("open", "high", "low", "close", "volume")
            },
        }


def _decisions() -> list[Row]:
    columns = ("id", "timeframe", "close_time", "action", "reason", "confidence", "edge_bps")
    rows = list_decisions().values(*columns, "price", "factors", "vetoes", "instrument__symbol")
    # The newest of all for the table, and older entries and exits for the chart.
    newest = list(rows[:_DECISIONS])
    older = rows.exclude(action="HOLD")
    if newest:
        older = older.filter(close_time__lt=newest[-1]["close_time"])
    return [_with_symbol(row) for row in (*newest, *older[:_DECISIONS])]


def _fills(fills: Any) -> list[Row]:
    columns = ("id", "order_id", "symbol", "side", "price", "quantity", "fee", "fee_asset")
    return list(fills.values(*columns, "realized_pnl", "timestamp")[:_FILLS])


def _positions() -> list[Row]:
    columns = ("id", "symbol", "status", "quantity", "average_entry_price", "realized_pnl")
    rows = (
        list_positions().filter(status="open").values(*columns, "stop_price", "take_profit_price")
    )
    return list(rows)


def _predictions() -> list[Row]:
    columns = ("id", "timeframe", "close_time", "state", "model_name", "horizon_bars", "p_up")
    more = ("expected_return", "lower", "upper", "realized_return", "instrument__symbol")
    return [
        _with_symbol(row)
        for row in list_predictions().filter(is_shadow=False).values(*columns, *more)[:_PREDICTIONS]
    ]


def _equity() -> list[Row]:
    newest = list_metrics().values("timestamp", "equity")[:_EQUITY]
    return [dict(row) for row in newest][::-1]


def _metrics() -> Row | None:
    view = latest_metrics()
    if view is None:
        return None
    names = ("equity", "cash", "exposure", "daily_pnl", "drawdown_fraction", "open_positions")
    return {"at": view.timestamp, **{name: getattr(view, name) for name in names}}


def _alerts() -> list[Row]:
    columns = ("id", "code", "severity", "message", "count", "timestamp")
    return list(list_alerts().values(*columns)[:_ALERTS])


def _models(subscriptions: Iterable[Any]) -> list[Row]:
    """Return each subscribed symbol's verdict by the model that serves its timeframe."""
    rows: list[Row] = []
    metrics_of: dict[str, dict[str, Any]] = {}
    for subscription in subscriptions:
        scope = subscription.timeframe.value
        if scope not in metrics_of:
            champion = get_champion(scope)
            version = get_version(champion.version_id) if champion else None
            metrics_of[scope] = version.symbol_metrics if version else {}
        metrics = metrics_of[scope].get(str(subscription.instrument_id))
        if metrics:
            rows.append(
                {
                    "symbol": subscription.symbol,
                    "verdict": metrics["verdict"],
                    "ic": metrics.get("ic"),
                }
            )
    return rows


def _with_symbol(row: Row) -> Row:
    row["symbol"] = row.pop("instrument__symbol")
    return row
