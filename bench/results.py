"""What a run found, and the goals it is held against."""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.servers import ROOT

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal: what is compared, the bound, and whether more is better."""

    name: str
    needs: tuple[str, ...]
    figure: Callable[..., float]
    bound: float
    is_at_least: bool = False

    def judge(self, figures: Mapping[str, Any]) -> tuple[float, bool] | None:
        """Return the figure and whether the goal is met; None when it was not measured."""
        if any(name not in figures for name in self.needs):
            return None
        found = self.figure(*(figures[name] for name in self.needs))
        return found, found >= self.bound if self.is_at_least else found <= self.bound


def _ratio(top: float, bottom: float) -> float:
    return top / bottom


def _itself(value: float) -> float:
    return value


GOALS = (
    *(
        Goal(
            f"candle -> order p95 / floor p95, {symbols} symbols",
            (f"tick_to_order_{symbols}_p95_ms", f"tick_floor_{symbols}_p95_ms"),
            _ratio,
            2.5,
        )
        for symbols in (1, 20, 100, 500)
    ),
    Goal(
        "empty chains per symbol / candle -> order, 100 symbols",
        ("empty_chain_100_ms", "tick_to_order_100_median_ms"),
        _ratio,
        4.0,
        is_at_least=True,
    ),
    Goal(
        "empty chains per symbol / candle -> order, 500 symbols",
        ("empty_chain_500_ms", "tick_to_order_500_median_ms"),
        _ratio,
        7.0,
        is_at_least=True,
    ),
    Goal(
        "candle -> order, 500 symbols / 100 symbols",
        ("tick_to_order_500_median_ms", "tick_to_order_100_median_ms"),
        _ratio,
        5.0,
    ),
    Goal(
        "candle -> order, 1,000,000 stored candles / 1,000",
        ("tick_history_1m_over_1k_ratio",),
        _itself,
        1.25,
    ),
    *(
        Goal(
            f"candle -> order p95 while a training runs / without, {size} symbols",
            (f"tick_training_{size}_p95_ms", f"tick_calm_{size}_p95_ms"),
            _ratio,
            2.0,
        )
        for size in (20, 100)
    ),
    Goal(
        "predict 100 rows / the trees' bare inplace_predict",
        ("predict_100_ms", "inplace_predict_100_ms"),
        _ratio,
        1.5,
    ),
    Goal("model load from UBJ, ms", ("model_load_ms",), _itself, 5.0),
    Goal(
        "backtest of a rule / freqtrade's start()",
        ("backtest_rule_100k_candles_per_s", "freqtrade_start_candles_per_s"),
        _ratio,
        10.0,
        is_at_least=True,
    ),
    Goal(
        "backtest of a rule / NautilusTrader's run",
        ("backtest_rule_100k_candles_per_s", "nautilus_run_bars_per_s"),
        _ratio,
        8.0,
        is_at_least=True,
    ),
    Goal(
        "backtest of a rule / backtesting.py",
        ("backtest_rule_100k_candles_per_s", "backtestingpy_candles_per_s"),
        _ratio,
        1.0,
        is_at_least=True,
    ),
    Goal(
        "backtest of a rule, 1,000,000 candles / 100,000",
        ("backtest_rule_1m_candles_per_s", "backtest_rule_100k_candles_per_s"),
        _ratio,
        0.8,
        is_at_least=True,
    ),
    Goal(
        "backtest with a model / freqtrade's start() without one",
        ("backtest_model_candles_per_s", "freqtrade_start_candles_per_s"),
        _ratio,
        3.0,
        is_at_least=True,
    ),
    Goal(
        "walk-forward with retraining / FreqAI",
        ("walkforward_candles_per_s", "freqai_walkforward_candles_per_s"),
        _ratio,
        1.4,
        is_at_least=True,
    ),
    Goal(
        "cold backtest process / freqtrade's",
        ("backtest_cold_s", "freqtrade_cold_s"),
        _ratio,
        0.5,
    ),
    Goal("backtest of 1,000,000 candles, MB", ("backtest_rss_mb_1m",), _itself, 1024.0),
    Goal(
        "backfill PostgreSQL / Django bulk_create upsert",
        ("backfill_pg_rows_per_s", "django_upsert_rows_per_s"),
        _ratio,
        5.0,
        is_at_least=True,
    ),
    Goal(
        "backfill SQLite / Django bulk_create upsert on SQLite",
        ("backfill_sqlite_rows_per_s", "django_upsert_sqlite_rows_per_s"),
        _ratio,
        5.0,
        is_at_least=True,
    ),
    *(
        Goal(
            f"push p95 / bare group_send p95, {clients} clients",
            (f"push_{clients}_p95_ms", f"group_send_{clients}_p95_ms"),
            _ratio,
            1.5,
        )
        for clients in (1, 100)
    ),
    Goal("live messages lost", ("push_lost",), _itself, 0),
    Goal(
        "list of 50 / the default DRF view, requests/s",
        ("api_list50_rps", "api_default_list50_rps"),
        _ratio,
        1.7,
        is_at_least=True,
    ),
    Goal("list of 50, answers that are not 200", ("api_list50_errors",), _itself, 0),
    *(
        Goal(f"why it traded{of}, p99, ms{on}", (f"why{on_name}{name}_p99_ms",), _itself, 100.0)
        for on, on_name in (("", ""), (", SQLite", "_sqlite"))
        for of, name in (("", ""), (", of a symbol long retired", "_retired"))
    ),
    *(
        Goal(f"local exchange, orders/s {how}", (name,), _itself, least, is_at_least=True)
        for how, name, least in (
            ("in process", "sim_orders_per_s_inproc", 3_000.0),
            ("over HTTP", "sim_orders_per_s_http", 1_000.0),
        )
    ),
    Goal("local exchange, order p99 at 100/s, ms", ("sim_order_p99_ms",), _itself, 5.0),
    Goal(
        "500 x 1s to 10 clients, p95 late: last third / first",
        ("sim_stream_last_third_p95_ms", "sim_stream_first_third_p95_ms"),
        _ratio,
        1.5,
    ),
    Goal("local exchange streaming, peak MB", ("sim_stream_peak_mb",), _itself, 400.0),
    Goal("local exchange replaying, peak MB", ("sim_replay_peak_mb",), _itself, 400.0),
    Goal("lost reply found, p99, s", ("unknown_resolved_p99_s",), _itself, 2.0),
    Goal("missed fill booked, longest, s", ("missed_fill_booked_max_s",), _itself, 10.0),
    Goal("kill -> first denied order, p99, ms", ("kill_to_deny_p99_ms",), _itself, 50.0),
    Goal("kill of 50 orders confirmed, p99, s", ("kill_cancel50_p99_s",), _itself, 2.0),
    *(
        Goal(f"{what} -> stop at the exchange, p99, s", (f"unprotected{name}_p99_s",), _itself, 2.0)
        for what, name in (
            ("first fill", ""),
            ("first part of an entry", "_partial"),
            ("what is added to a position", "_added"),
        )
    ),
    Goal("start with 50 open orders to READY, s", ("ready_50_orders_s",), _itself, 15.0),
    Goal("the gate, p99, ms", ("gate_p99_ms",), _itself, 5.0),
    Goal("intent -> request on the wire, median, ms", ("intent_to_wire_median_ms",), _itself, 10.0),
    Goal("demo ready in a fresh clone, s", ("demo_ready_cold_s",), _itself, 120.0),
    Goal("demo ready the second time, s", ("demo_ready_warm_s",), _itself, 10.0),
    Goal("demo's first fill, s after ready", ("demo_first_fill_s",), _itself, 60.0),
    Goal("pipeline worker, MB", ("rss_mb_worker-pipeline",), _itself, 260.0),
    Goal("orders worker, MB", ("rss_mb_worker-orders",), _itself, 130.0),
    Goal("whole demo, PSS MB", ("pss_mb_total",), _itself, 900.0),
)


def machine_facts() -> dict[str, str]:
    """Return where and of what the figures are, and how busy the machine was at their end."""
    commit = subprocess.run(  # outside of a checkout there is no commit to name
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":")[1] for line in info.read_text().splitlines() if "model name" in line
        ]
        processor = names[0].strip() if names else processor
    return {
        "machine": f"{os.cpu_count()} x {processor}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "commit": commit or "unknown",
        "load_average": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def save(path: Path, figures: Mapping[str, Any]) -> None:
    """Merge `figures` into the file: a run of a few sections keeps the others' figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text()) if path.exists() else {}
    text = json.dumps({**known, **figures}, indent=1, sort_keys=True) + "\n"
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


def table(figures: Mapping[str, Any]) -> str:
    """Return the figures and the goals as text for a person."""
    width = max((len(name) for name in figures), default=0)
    lines = [f"  {name:<{width}}  {value}" for name, value in sorted(figures.items())]
    lines += ["", "goals (ratios of one run; machine noise is large)"]
    width = max(len(goal.name) for goal in GOALS)
    for goal in GOALS:
        found = goal.judge(figures)
        sign = ">=" if goal.is_at_least else "<="
        told = "not measured" if found is None else f"{found[0]:8.2f}  {_word(is_met=found[1])}"
        lines.append(f"  {goal.name:<{width}}  {sign} {goal.bound:<6g} {told}")
    return "\n".join(lines)


def _word(*, is_met: bool) -> str:
    return "met" if is_met else "MISSED"
