"""What the page of one model shows: verdict, gates, plots and what happened to it."""

from dataclasses import dataclass
from typing import Any

from core.clock import to_ms
from markets.selectors import list_rules
from mlmodels.domain.charts import Bars, Line, Plot
from mlmodels.domain.prediction import MAX_DISSIMILARITY
from mlmodels.models import (
    DriftMetric,
    GateResult,
    ModelVersion,
    Prediction,
    RetrainEvent,
    RollingMetric,
)

_POINTS = 400
_EVENTS = 15
BLUE, ORANGE, GRAY = "#2563eb", "#ea580c", "#6b7280"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A plot with what it says in words; `svg` is empty when there is nothing yet."""

    title: str
    note: str
    svg: str
    legend: tuple[tuple[str, str], ...] = ()


def read_health(version: ModelVersion) -> dict[str, Any]:
    """Return everything that the page shows of `version`."""
    pooled = list(
        RollingMetric.objects.filter(version=version, instrument=None, regime="ALL").order_by(
            "-at"
        )[:_POINTS]
    )[::-1]
    return {
        "version": version,
        "first_line": _first_line(version),
        "gates": list(GateResult.objects.filter(version=version).order_by("id")),
        "panels": [
            _calibration(version),
            *_over_time(pooled),
            _drift(version),
            _familiarity(version),
            *_insights(version),
        ],
        "symbols": _symbols(version),
        "events": list(
            RetrainEvent.objects.filter(scope=version.scope).order_by("-created_at", "-id")[
                :_EVENTS
            ]
        ),
    }


def _first_line(version: ModelVersion) -> str:
    if version.suspended_at:
        return (
            f"Its live outcomes have shown no skill since {version.suspended_at:%Y-%m-%d %H:%M}: "
            "it is not traded on."
        )
    skilled = [
        key for key, found in version.symbol_metrics.items() if found["verdict"] == "SKILLED"
    ]
    total = len(version.symbol_metrics)
    if not skilled:
        return "It has shown no skill on data it had not seen: it is not traded on."
    return (
        f"It has shown skill on {len(skilled)} of {total} symbols on data it had not seen. "
        + claim_in_words(version)
    )


def claim_in_words(version: ModelVersion) -> str:
    """Say whether a profit after costs may be claimed, and why."""
    claim = version.metrics.get("claim")
    if not claim or claim["deflated_sharpe"] is None:
        return "It would not have traded after costs: no profit is claimed."
    low = version.metrics["economics"]["net_bps_low"]
    numbers = (
        f"deflated Sharpe {claim['deflated_sharpe']:.2f} after {claim['trials']} trial(s), "
        f"at least {low:+.1f} bps net per trade"
    )
    if claim["is_allowed"]:
        return f"A profit after costs may be claimed: {numbers}."
    return f"No profit after costs is claimed: {numbers}; needed are 0.95 and more than 0."


def _calibration(version: ModelVersion) -> Panel:
    """Plot stated against seen frequency of the rows it was judged on."""
    points = [(stated, seen) for stated, seen, _ in version.metrics.get("reliability", [])]
    error, null = version.metrics.get("calibration_error"), version.metrics.get("calibration_null")
    ends = [points[0][0], points[-1][0]] if points else []
    plot = Plot(
        title="stated against seen frequency of a rise",
        lines=[
            Line(label="as stated", points=[(x, x) for x in ends], color=GRAY, is_dashed=True),
            Line(label="as seen", points=points, color=BLUE, has_dots=True),
        ],
        x_labels=(f"stated {ends[0]:.2f}", f"{ends[1]:.2f}") if ends else ("", ""),
    )
    note = (
        f"Mean distance {error:.3f}; honest probabilities stay below {null:.3f} in 95 of 100 cases."
        if error is not None and null is not None
        else ""
    )
    return Panel(
        title="Calibration in training (out of fold)",
        note=note,
        svg=plot.svg(),
        legend=(("as seen", BLUE), ("as stated", GRAY)),
    )


def _over_time(rows: list[RollingMetric]) -> list[Panel]:
    return [*_skill(rows), _coverage(rows), _error(rows)]


def _skill(rows: list[RollingMetric]) -> list[Panel]:
    newest = rows[-1] if rows else None
    zero = [(float(to_ms(row.at)), 0.0) for row in rows]
    nought = Line(label="no skill", points=zero, color=GRAY, is_dashed=True)
    return [
        Panel(
            title="Live information coefficient",
            note=f"t {newest.ic_t:+.1f} on {newest.rows} outcomes"
            if newest and newest.ic_t is not None
            else "",
            svg=Plot(
                title="information coefficient over time",
                lines=[nought, _line(rows, "ic", BLUE)],
                x_labels=_ends(rows),
            ).svg(),
            legend=(("IC", BLUE), ("no skill", GRAY)),
        ),
        Panel(
            title="Live Brier skill",
            note="Above 0: better than always stating the base rate.",
            svg=Plot(
                title="Brier skill over time",
                lines=[nought, _line(rows, "brier_skill", BLUE)],
                x_labels=_ends(rows),
                y_format=".3f",
            ).svg(),
            legend=(("Brier skill", BLUE), ("base rate", GRAY)),
        ),
    ]


def _coverage(rows: list[RollingMetric]) -> Panel:
    return Panel(
        title="Live coverage of the 90 % interval",
        note="Green: 88 to 92 %.",
        svg=Plot(
            title="coverage over time",
            lines=[_line(rows, "coverage", BLUE)],
            band=(0.88, 0.92),
            x_labels=_ends(rows),
            y_format=".0%",
            y_range=(0.8, 1.0),
        ).svg(),
    )


def _error(rows: list[RollingMetric]) -> Panel:
    return Panel(
        title="Live mean absolute error",
        note="Against expecting no return at all.",
        svg=Plot(
            title="mean absolute error over time",
            lines=[
                _line(rows, "baseline_error", GRAY),
                _line(rows, "mean_absolute_error", ORANGE),
            ],
            x_labels=_ends(rows),
            y_format=".3%",
        ).svg(),
        legend=(("model", ORANGE), ("no forecast", GRAY)),
    )


def _line(rows: list[RollingMetric], name: str, color: str) -> Line:
    """Return a column over time, without the moments at which it was not defined."""
    points = [
        (float(to_ms(row.at)), float(number))
        for row in rows
        if (number := getattr(row, name)) is not None
    ]
    return Line(label=name, points=points, color=color)


def _ends(rows: list[RollingMetric]) -> tuple[str, str]:
    if not rows:
        return "", ""
    return f"{rows[0].at:%m-%d %H:%M}", f"{rows[-1].at:%m-%d %H:%M}"


def _drift(version: ModelVersion) -> Panel:
    newest = (
        DriftMetric.objects.filter(version=version).order_by("-at").values_list("at", flat=True)
    ).first()
    rows = DriftMetric.objects.filter(version=version, at=newest).order_by("id") if newest else []
    bars = [(row.feature, row.psi / row.threshold if row.threshold else 0.0) for row in rows]
    return Panel(
        title="Drift of the ten features that matter most",
        note="Against what weeks of the training candles showed without drift.",
        svg=Bars(title="feature drift", bars=bars, mark="its own threshold").svg(),
    )


def _familiarity(version: ModelVersion) -> Panel:
    """Plot how unlike its training the newest closes were; beyond the limit nothing is entered."""
    rows = list(
        Prediction.objects.filter(model_version=version, dissimilarity__isnull=False)
        .order_by("-close_time", "id")
        .values_list("close_time", "dissimilarity")[:_POINTS]
    )[::-1]
    points = [(float(to_ms(at)), found) for at, found in rows if found is not None]
    far = sum(found > MAX_DISSIMILARITY for _, found in points)
    limit = [(at, MAX_DISSIMILARITY) for at, _ in points]
    return Panel(
        title="Distance to the nearest past close",
        note=f"1 is usual. {far} of the newest {len(rows)} predictions lie beyond "
        f"{MAX_DISSIMILARITY:g}: nothing is entered on those (UNFAMILIAR)."
        if rows
        else "",
        svg=Plot(
            title="dissimilarity over time",
            lines=[
                Line(label="limit", points=limit, color=GRAY, is_dashed=True),
                Line(label="distance", points=points, color=BLUE),
            ],
            x_labels=(f"{rows[0][0]:%m-%d %H:%M}", f"{rows[-1][0]:%m-%d %H:%M}")
            if rows
            else ("", ""),
        ).svg(),
        legend=(("distance", BLUE), ("limit", GRAY)),
    )


def _insights(version: ModelVersion) -> list[Panel]:
    """Plot what a member says of itself: which variables and which bars it looks at."""
    panels = []
    for name, seen in version.metrics.get("insight", {}).items():
        attention = seen["attention"]
        bars = sorted(seen["variables"].items(), key=lambda item: -item[1])
        points = [(float(place - len(attention) + 1), x) for place, x in enumerate(attention)]
        panels += [
            Panel(
                title=f"Variables that {name} looks at",
                note="Mean selection weight.",
                svg=Bars(title="selection weights", bars=bars).svg(),
            ),
            Panel(
                title=f"Bars that {name} looks back at",
                note="Mean attention; 0 is the newest bar.",
                svg=Plot(
                    title="attention",
                    lines=[Line(label="attention", points=points, color=BLUE, has_dots=True)],
                    x_labels=(f"{1 - len(attention)}", "0"),
                ).svg(),
            ),
        ]
    return panels


def _symbols(version: ModelVersion) -> list[dict[str, Any]]:
    rules = list_rules(int(key) for key in version.symbol_metrics)
    live = {
        row.instrument_id: row
        for row in RollingMetric.objects.filter(
            version=version, instrument__isnull=False, regime="ALL"
        ).order_by("at", "id")
    }
    rows = []
    for key, found in sorted(version.symbol_metrics.items(), key=lambda item: int(item[0])):
        known = rules.get(int(key))
        failed = [gate["name"] for gate in found.get("gates", []) if not gate["is_passed"]]
        rows.append(
            {
                "symbol": known.symbol if known else key,
                "found": found,
                "failed": ", ".join(failed),
                "live": live.get(int(key)),
            }
        )
    return rows
