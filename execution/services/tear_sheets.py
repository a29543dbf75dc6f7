"""The tear sheet: one HTML file that needs nothing beside itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from execution.backtest import charts
from execution.backtest.charts import Line
from execution.backtest.verdict import Word

TEMPLATE = "execution/tear_sheet.html"
_LAST_TRADES = 60
_LAST_EVENTS = 40
_NOTHING = "-"
_TONES = {Word.PROVEN: "good", Word.NOT_PROVEN: "warn", Word.LOSS: "bad", Word.NO_TRADES: "warn"}
_TITLES = {
    Word.PROVEN: "Held up",
    Word.NOT_PROVEN: "Not proven",
    Word.LOSS: "Loss",
    Word.NO_TRADES: "No trades",
}


def render_tear_sheet(report: Mapping[str, Any]) -> str:
    """Return the whole page; style sheet and drawings are inside it."""
    return render_to_string(TEMPLATE, describe_report(report))


def describe_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the templates of a report show."""
    word = Word(report["verdict"]["word"])
    return {
        "report": report,
        "request": report["request"],
        "title": _title(report["request"]),
        "period": _period(report),
        "tone": _TONES[word],
        "word": _TITLES[word],
        # The word stands before it.
        "text": report["verdict"]["text"].removeprefix(f"{_TITLES[word]}: "),
        "tiles": list_tiles(report["summary"]),
        "charts": {name: _safe(drawing) for name, drawing in _drawings(report).items()},
        "prices": [
            {"symbol": item["symbol"], "count": item["trade_count"], "chart": _safe(_price(item))}
            for item in report["charts"]
        ],
        "years": _years(report["monthly"]),
        "gates": _gates(report["reasons"]),
        "denials": _shares(report["denials"]),
        "spreads": _spreads(report["monte_carlo"]),
        "random_entries": _chance(report["monte_carlo"]["random_entries"]),
        "shaken": _shaken(report["sensitivity"]),
        "model_events": [_event(item) for item in report.get("model_events", [])[-_LAST_EVENTS:]],
        "trades": [_trade(trade) for trade in reversed(report["trades"][-_LAST_TRADES:])],
        "months": [
            "Jan",
            "Feb",
            "Mar",
            "Apr",
            "May",
            "Jun",
            "Jul",
            "Aug",
            "Sep",
            "Oct",
            "Nov",
            "Dec",
        ],
    }


def list_tiles(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the key figures: name, figure, a word on it, tone."""
    made = summary["return"]
    return [
        _tile("Net result", _percent(made, signed=True), f"{summary['pnl']} quote", made),
        _tile("Buy and hold", _percent(summary["buy_and_hold"], signed=True), "same candles"),
        _tile("Max drawdown", _percent(summary["max_drawdown"]), "of the highest equity"),
        _tile(
            "Sharpe, a year",
            _number(summary["sharpe"]),
            f"± {_number(summary['sharpe_error'])} standard error",
        ),
        _tile(
            "P(Sharpe > 0)",
            _percent(summary["deflated_sharpe"]),
            f"deflated by {summary['trials']} trial{'s' if summary['trials'] != 1 else ''}",
        ),
        _tile("Trades", str(summary["trades"]), f"{_percent(summary['win_rate'])} of them won"),
        _tile(
            "Net per trade",
            _bps(summary["net_bps"]),
            f"5 % bound {_bps(summary['net_bps_low'])}",
            summary["net_bps"],
        ),
        _tile("Break-even cost", _bps(summary["break_even_bps"]), "round trip"),
        _tile("In the market", _percent(summary["exposure"]), "mean share of the equity"),
        _tile("Fees paid", summary["fees"], f"turnover {summary['turnover']}"),
    ]


def _drawings(report: Mapping[str, Any]) -> dict[str, str]:
    curves, skill = report["curves"], report["skill"]
    time_ms = curves["time_ms"]
    start = float(report["summary"]["start_cash"])
    drawings = {
        "equity": charts.line_chart(
            time_ms,
            [
                Line("Buy and hold", "c2", curves["buy_and_hold"]),
                Line("24-candle momentum", "c3", curves["momentum"]),
                Line("Cash", "guide", [start] * len(time_ms)),
                Line("Strategy", "c1", curves["equity"]),
            ],
        ),
        "own": charts.line_chart(
            time_ms, [Line("Strategy alone", "c1", curves["equity"])], fill_from=start
        ),
        "drawdown": charts.line_chart(
            time_ms,
            [Line("Drawdown", "down", [-value for value in curves["drawdown"]])],
            form=charts.percent,
            fill_from=0.0,
        ),
    }
    if report["cost_curve"]:
        rows = report["cost_curve"]
        drawings["costs"] = charts.bar_chart(
            [f"{row['round_trip_bps']} bps" for row in rows],
            [row["return"] for row in rows],
            form=charts.percent,
        )
    if skill:
        drawings["calibration"] = charts.calibration_chart(skill["calibration"])
        drawings["ic"] = charts.bar_chart(
            [row["month"] for row in skill["ic_by_month"]],
            [row["ic"] for row in skill["ic_by_month"]],
            form=lambda value: f"{value:.2g}",
        )
    return drawings


def _price(item: Mapping[str, Any]) -> str:
    marks = charts.trade_marks(item["time_ms"], item["close"], item["trades"])
    return charts.line_chart(
        item["time_ms"], [Line(item["symbol"], "c2", item["close"])], marks=marks
    )


def _years(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the monthly table: one line a year, twelve cells, the year's own result."""
    years: dict[str, list[dict[str, Any] | None]] = {}
    for row in rows:
        year, month = row["month"].split("-")
        cells = years.setdefault(year, [None] * 12)
        cells[int(month) - 1] = {
            "text": _month(row["return"]),
            "tone": _heat(row["return"]),
            "hold": _month(row["buy_and_hold"]),
        }
    found = []
    for year, cells in years.items():
        total = 1.0
        for row in rows:
            if row["month"].startswith(year):
                total *= 1.0 + row["return"]
        found.append({"year": year, "cells": cells, "total": _month(total - 1.0)})
    return found


def _month(value: float) -> str:
    text = f"{100 * value:+.1f}"
    return text if text.strip("+-0.") else "0"


def _heat(value: float) -> str:
    strength = min(4, int(abs(value) / 0.01) + 1) if abs(value) >= 0.0005 else 0
    return f"{'up' if value > 0 else 'down'}{strength}" if strength else ""


def _gates(reasons: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    return [{"strategy": name, "rows": _shares(counts)} for name, counts in reasons.items()]


def _shares(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [
        {"name": name, "count": count, "share": f"{100 * count / total:.1f}"}
        for name, count in ordered
        if count
    ]


def _spreads(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = (
        ("resampled_return", "Return, days drawn anew"),
        ("resampled_drawdown", "Drawdown, days drawn anew"),
        ("shuffled_drawdown", "Drawdown, trades shuffled"),
    )
    return [
        {"name": name, "cells": [_percent(value) for value in found[key]]}
        for key, name in names
        if found[key]
    ]


def _shaken(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "parameter": row["parameter"],
            "value": f"{row['value']:g}",
            "result": _percent(row["return"], signed=True),
            "trades": row["trades"],
            "tone": "up" if row["return"] > 0 else "down",
        }
        for row in rows
    ]


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return something that happened to the models, its evidence in one line."""
    told = ", ".join(
        f"{name} {number:.4g}" if isinstance(number, float) else f"{name} {number}"
        for name, number in event["evidence"].items()
        if number is not None
    )
    return {**event, "at": _time(event["at_ms"]), "evidence": told}


def _trade(trade: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **trade,
        "opened": _time(trade["opened_ms"]),
        "closed": _time(trade["closed_ms"]),
        "result": _percent(trade["net_return"], signed=True),
        "tone": "up" if trade["net_return"] > 0 else "down",
    }


def _tile(name: str, figure: str, note: str, signed: float | None = None) -> dict[str, str]:
    tone = "" if not signed else "up" if signed > 0 else "down"
    return {"name": name, "figure": figure, "note": note, "tone": tone}


def _title(request: Mapping[str, Any]) -> str:
    symbols = request["symbols"]
    named = ", ".join(symbols[:3]) + (f" and {len(symbols) - 3} more" if len(symbols) > 3 else "")
    return f"{named} · {request['interval']} · {request['strategy']}"


def _period(report: Mapping[str, Any]) -> str:
    times = report["curves"]["time_ms"]
    return f"{_time(report['request']['first_ms'])} to {_time(times[-1])} UTC"


def _time(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def _percent(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return _NOTHING
    return f"{100 * value:+.2f} %" if signed else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f}"


def _chance(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _bps(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:+.1f} bps"


def _safe(drawing: str) -> SafeString:
    """Trust a drawing: ``charts`` escapes what it is given."""
    return mark_safe(drawing)  # noqa: S308 - see above
