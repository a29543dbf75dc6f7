"""The desk's report as text, as JSON and as one HTML file that needs nothing beside itself."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import mark_safe

from execution.backtest.charts import Line, line_chart

_NOTHING = "-"
_CENT = Decimal("0.01")
# Title, head, rows of text.
Table = tuple[str, list[str], list[list[str]]]
_TITLES = (("by_strategy", "Strategy"), ("by_symbol", "Symbol"), ("by_model", "Model"))


def to_json(report: Mapping[str, Any]) -> str:
    """Return one object; money is text, times are ISO 8601 UTC."""
    return json.dumps(report, indent=2, default=_plain)


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else value.isoformat()


def to_text(report: Mapping[str, Any]) -> str:
    """Return what fits a terminal or a mail."""
    lines = [
        f"Desk report: {report['account']} ({report['mode']})",
        f"{stamp(report['since'])} to {stamp(report['until'])} UTC",
        "",
    ]
    lines += [f"{name:<22} {figure:>16}  {note}" for name, figure, note in tiles(report)]
    for title, head, rows in tables(report):
        if rows:
            lines += ["", title, *_columns([head, *rows])]
    return "\n".join(lines)


def to_html(report: Mapping[str, Any]) -> str:
    """Return the whole page; style sheet and drawing are inside it."""
    curve = report["equity"]["curve"]
    chart = line_chart(
        [at for at, _equity in curve],
        [Line("Equity", "c1", [float(equity) for _at, equity in curve])],
    )
    return render_to_string(
        "desk/report.html",
        {
            "report": report,
            "since": stamp(report["since"]),
            "until": stamp(report["until"]),
            "made_at": stamp(report["made_at"]),
            "tiles": [
                {"name": name, "figure": figure, "note": note}
                for name, figure, note in tiles(report)
            ],
            "chart": mark_safe(chart),  # noqa: S308 - numbers only; charts escapes its labels
            "tables": [
                {"title": title, "head": head, "rows": rows}
                for title, head, rows in tables(report)
                if rows
            ],
        },
    )


def tiles(report: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the key figures: name, figure, a word on it."""
    equity, results, slip = report["equity"], report["results"], report["slippage"]
    bare, decided, gate = report["unprotected"], report["decisions"], report["gate"]
    trips = results["round_trips"]
    return [
        ("Equity", money(equity["end"]), f"from {money(equity['start'])}"),
        ("Result", money(equity["change"], signed=True), "deposits and withdrawals left out"),
        ("Max drawdown", percent(equity.get("max_drawdown")), "within the period"),
        ("Realized", money(results["realized"], signed=True), f"{trips} round trips closed"),
        ("Unrealized", money(equity.get("unrealized"), signed=True), "at the last valuation"),
        ("Won", percent(results["won"] / trips if trips else None), f"{results['won']} of {trips}"),
        ("Turnover", money(results["turnover"]), f"{results['executions']} executions"),
        ("Fees", money(results["fees_quote"]), f"paid in {', '.join(results['fees']) or '-'}"),
        (
            "Slippage",
            _NOTHING if slip["mean_bps"] is None else f"{slip['mean_bps']} bps",
            f"{money(slip['cost_quote'])} over {slip['orders']} orders; worst {slip['worst_bps']}",
        ),
        ("Decisions", str(decided["total"]), _counts(decided["by_action"])),
        ("Refused by the gate", str(gate["refused"]), f"of {gate['asked']} asked"),
        (
            "Without a stop",
            f"{bare['seconds']} s",
            f"longest {bare['longest']} s, {bare['positions']} positions; market time",
        ),
    ]


def tables(report: Mapping[str, Any]) -> list[Table]:
    """Return what is listed: title, head, rows of text."""
    found = [
        (
            f"Profit by {title.lower()}",
            [title, "Realized", "Round trips", "Won", "Fees (quote)"],
            [
                [
                    row["name"],
                    money(row["realized"], signed=True),
                    str(row["round_trips"]),
                    str(row["won"]),
                    money(row["fees_quote"]),
                ]
                for row in report["results"][name]
            ],
        )
        for name, title in _TITLES
    ]
    return [
        *found,
        (
            "Fees",
            ["Asset", "Paid"],
            [[asset, f"{amount:f}"] for asset, amount in report["results"]["fees"].items()],
        ),
        _counted("What kept from entering", "Reason", report["decisions"]["held_by"]),
        _counted("Refused by the risk gate", "Code", report["gate"]["by_code"]),
        _counted("Orders", "State", report["orders"]["by_state"]),
        _models(report["models"]),
        _incidents(report["incidents"]["alerts"]),
        _kill_switch(report["incidents"]["kill_switch"]),
        _comparisons(report["comparisons"]),
    ]


def _incidents(rows: Sequence[Mapping[str, Any]]) -> Table:
    return (
        "Incidents",
        ["Severity", "Code", "Times", "Last", "What"],
        [
            [
                row["severity"],
                row["code"],
                str(row["count"]),
                stamp(row["last_at"]),
                row["message"],
            ]
            for row in rows
        ],
    )


def _kill_switch(rows: Sequence[Mapping[str, Any]]) -> Table:
    names = ("scope", "from_level", "to_level", "actor", "reason")
    return (
        "Kill switch",
        ["Time", "Scope", "From", "To", "By", "Why"],
        [[stamp(row["timestamp"]), *(row[name] for name in names)] for row in rows],
    )


def _models(rows: Sequence[Mapping[str, Any]]) -> Table:
    head = ["Model", "Predictions", "Resolved", "Mean error", "Direction", "90 % held", "IC"]
    return (
        "Model health",
        head,
        [
            [
                row["name"],
                str(row["predictions"]),
                str(row["resolved"]),
                _number(row["mean_abs_error"], 5),
                percent(row["direction_right"]),
                percent(row["coverage"]),
                _number(row["ic"], 3),
            ]
            for row in rows
        ],
    )


def _comparisons(counted: Mapping[str, Any]) -> Table:
    rows = [["green", str(counted["green"])], ["red", str(counted["red"])]]
    rows += [["open difference", what] for what in counted["open_differences"]]
    return "Comparisons with the exchange", ["Verdict", "Times"], rows


def _counted(title: str, what: str, counts: Mapping[str, int]) -> Table:
    return title, [what, "Times"], [[name, str(count)] for name, count in counts.items()]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _columns(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield "  " + "  ".join(cells).rstrip()


def stamp(moment: datetime) -> str:
    """Return a time for people; it is UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def money(amount: Decimal | None, *, signed: bool = False) -> str:
    """Return an amount to the cent; the exact one is in the JSON."""
    if amount is None:
        return _NOTHING
    return format(amount.quantize(_CENT), "+,f" if signed else ",f")


def percent(fraction: Decimal | float | None) -> str:
    """Return a fraction as per cent."""
    return _NOTHING if fraction is None else f"{100 * float(fraction):.2f} %"


def _number(value: float | None, places: int) -> str:
    return _NOTHING if value is None else f"{value:.{places}f}"
