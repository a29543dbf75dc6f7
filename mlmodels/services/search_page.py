"""What the page of one search shows: what was found, how it came, and how much of it was luck."""

from typing import Any

from mlmodels.domain.charts import Bars, Line, Plot
from mlmodels.models import Search, Trial
from mlmodels.services.health_page import BLUE, ORANGE, Panel

_BINS = 12
_SHOWN = 20


def read_search(search: Search) -> dict[str, Any]:
    """Return everything that the page shows."""
    trials = list(Trial.objects.filter(search=search).order_by("search_number"))
    best = sorted(trials, key=lambda trial: -(trial.score or 0.0))[:_SHOWN]
    return {
        "search": search,
        "report": search.report,
        "first_line": search.report.get("first_line")
        or f"{len(trials)} of {search.wanted} trials are judged.",
        "panels": [_scores(trials), _luck(search)],
        "best": [{"trial": trial, "choice": _in_words(trial.choice)} for trial in best],
    }


def _scores(trials: list[Trial]) -> Panel:
    points = [(float(trial.search_number or 0), trial.score or 0.0) for trial in trials]
    highest: list[tuple[float, float]] = []
    for number, score in points:
        highest.append((number, max(score, highest[-1][1] if highest else score)))
    return Panel(
        title="Trials",
        note="t of the net return per close, walking forward.",
        svg=Plot(
            title="score of each trial",
            lines=[
                Line(label="best so far", points=highest, color=ORANGE),
                Line(label="trial", points=points, color=BLUE, has_dots=True),
            ],
            x_labels=(f"{points[0][0]:.0f}", f"{points[-1][0]:.0f}") if points else ("", ""),
        ).svg(),
        legend=(("trial", BLUE), ("best so far", ORANGE)),
    )


def _luck(search: Search) -> Panel:
    found = search.report.get("overfitting") or {}
    logits = found.get("logits", [])
    bars = []
    if logits:
        low, high = min(logits), max(logits)
        width = (high - low) / _BINS or 1.0
        counts = [0] * _BINS
        for logit in logits:
            counts[min(_BINS - 1, int((logit - low) / width))] += 1
        bars = [
            (f"{low + (place + 0.5) * width:+.1f}", count / len(logits))
            for place, count in enumerate(counts)
        ]
    return Panel(
        title="Where the best of one half of the time stands in the other",
        note=f"Log-odds of its rank; below 0 in {found['probability']:.0%} of the ways to halve "
        "the time (probability of overfitting)."
        if found
        else "",
        svg=Bars(title="rank of the chosen in the other half", bars=bars).svg() if bars else "",
    )


def _in_words(choice: dict[str, Any]) -> str:
    label = choice["label"]
    figures = ", ".join(f"{name} {value:.4g}" for name, value in choice["figures"].items())
    return (
        f"{choice['recipe']} ({figures}) on {choice['features']} columns, {label['kind']} "
        f"{label['horizon_bars']}{' of ' + label['primary'] if label.get('primary') else ''}, "
        f"half-life {choice['half_life_bars'] or 'none'}, acts from "
        f"{choice['min_confidence']:.2f} and {choice['min_edge_bps']:.1f} bps"
    )
