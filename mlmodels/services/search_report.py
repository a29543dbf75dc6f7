"""What a search found, and how much of it was luck."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mlmodels.domain.acting import Acted, act
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.evaluation import OutOfFold, evaluate
from mlmodels.domain.overfitting import REFUSE, WARN, probability_of_overfitting
from mlmodels.domain.search_space import Choice
from mlmodels.domain.selection import CLAIM, deflated_sharpe
from mlmodels.models import Search, Trial
from mlmodels.services.fitting import FittedEnsemble, ensemble_margins

Judge = Callable[[Choice], tuple[FittedEnsemble, Dataset]]


def write_report(search: Search, *, judge: Judge) -> dict[str, Any]:
    """Return the best configuration with what speaks for and against it.

    Args:
        search: Whose trials have all ended.
        judge: Fits a configuration on what the search saw; returns it and the rows it did not see.
    """
    trials = list(Trial.objects.filter(search=search).order_by("search_number"))
    if not trials:
        return {
            "edge_ms": 0,
            "trials": 0,
            "first_line": "No configuration could be judged; the trials' errors say why.",
        }
    best = max(trials, key=lambda trial: (trial.score or 0.0, -(trial.search_number or 0)))
    choice = Choice.from_json(best.choice)
    fitted, fresh = judge(choice)
    found = probability_of_overfitting(np.array([trial.blocks for trial in trials]))
    count = Trial.objects.filter(scope=search.scope).count()
    deflated = _deflated(search, choice, fitted.judged, trials=count)
    held_out = _held_out(search, choice, fitted, fresh)
    return {
        "edge_ms": int(fresh.start_ms.min()) if len(fresh) else 0,
        "trials": len(trials),
        "ledger": count,
        "best": {"number": best.search_number, "score": best.score, "choice": best.choice},
        "deflated_sharpe": deflated,
        "overfitting": found.to_json() if found else None,
        "held_out": held_out,
        "first_line": _first_line(
            best.score or 0.0, deflated, found.probability if found else None, held_out
        ),
    }


def _deflated(search: Search, choice: Choice, judged: OutOfFold, *, trials: int) -> float | None:
    acted = _act(search, choice, judged)
    sharpe = acted.sharpe
    if sharpe is None:
        return None
    skew, kurtosis = acted.moments
    return deflated_sharpe(
        sharpe,
        trials=trials,
        count=len(acted.net) / choice.label.horizon_bars,
        skew=skew,
        kurtosis=kurtosis,
    )


def _held_out(
    search: Search, choice: Choice, fitted: FittedEnsemble, fresh: Dataset
) -> dict[str, Any] | None:
    """Judge the chosen configuration on the rows that no trial saw."""
    if not len(fresh):
        return None
    said = fitted.calibrations.apply(
        ensemble_margins(fitted.members, fresh.features), fresh.horizon_sigma, fresh.group
    )
    rows = OutOfFold(
        time_ms=fresh.start_ms,
        group=fresh.group,
        forward_return=fresh.forward_return,
        horizon_sigma=fresh.horizon_sigma,
        p_up=said.p_up,
        expected_return=said.expected_return,
        lower=said.lower,
        upper=said.upper,
        base_rate=said.base_rate,
    )
    judged = evaluate(rows, horizon_bars=choice.label.horizon_bars, baselines={})
    acted = _act(search, choice, rows)
    return {
        "rows": len(fresh),
        "ic": judged.ic,
        "ic_t": judged.ic_t,
        "brier_skill": judged.brier_skill,
        "trades": acted.trades,
        "net_t": acted.test.t,
        "net_bps_per_trade": float(acted.net.sum()) / acted.trades * 1e4 if acted.trades else None,
    }


def _act(search: Search, choice: Choice, rows: OutOfFold) -> Acted:
    return act(
        rows,
        horizon_bars=choice.label.horizon_bars,
        cost=search.cost_bps / 10_000,
        min_confidence=choice.min_confidence,
        min_edge_bps=choice.min_edge_bps,
    )


def _first_line(
    score: float,
    deflated: float | None,
    overfitting: float | None,
    held_out: dict[str, Any] | None,
) -> str:
    """Say what may be believed, the worst first."""
    if score <= 0:
        return "Nothing that was tried earns its costs: the best choice is not to trade."
    if overfitting is not None and overfitting > REFUSE:
        return (
            f"The choice is worth nothing: probability of overfitting {overfitting:.0%}. "
            "Do not use the best configuration."
        )
    lost = held_out is None or (held_out["net_t"] or 0.0) <= 0
    if lost or deflated is None or deflated < CLAIM:
        return (
            f"No profit is claimed: deflated Sharpe {deflated or 0.0:.2f} (needed {CLAIM}), "
            f"on rows that no trial saw {'no gain' if lost else 'a gain'}."
        )
    warning = (
        f" Beware: probability of overfitting {overfitting:.0%}."
        if overfitting is not None and overfitting > WARN
        else ""
    )
    return (
        f"The best configuration holds: deflated Sharpe {deflated:.2f}, and a gain on rows that no "
        f"trial saw.{warning}"
    )
