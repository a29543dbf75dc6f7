"""What the recipe makes of noise and of planted signals: the promises, measured.

Example: python -m bench.honesty --seeds 200
"""

import argparse
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import django
import numpy as np
from numpy.typing import NDArray

from mlmodels.domain.dataset import Dataset
from mlmodels.domain.evaluation import Evaluation
from mlmodels.domain.lifecycle import Verdict
from mlmodels.domain.prediction import probability_above
from mlmodels.services.fitting import FittedEnsemble, fit_ensemble
from mlmodels.services.walking import Lesson, fit_members

HOUR_MS = 3_600_000
FEATURES = 22
COST = 0.002
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Market:
    """Rows with a known signal in units of sigma."""

    rows: Dataset
    signal: FloatArray


def garch(rng: np.random.Generator, bars: int) -> tuple[FloatArray, FloatArray]:
    """Return noise with fat tails, and volatilities that cluster."""
    noise = rng.standard_t(5, bars) / np.sqrt(5 / 3)
    sigma, variance = np.empty(bars), 1.0
    for bar in range(bars):
        sigma[bar] = np.sqrt(variance)
        variance = 0.02 + 0.1 * variance * noise[bar] ** 2 + 0.88 * variance
    return noise, 0.006 * sigma


def market(seed: int, *, bars: int, ic: float = 0.0, is_linear: bool = True) -> Market:
    """Return rows of one candle's horizon whose signal correlates with the outcome by `ic`."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((bars, FEATURES))
    # A slope on one side only, and a size that counts whatever its sign: a straight line can see
    # a third of its variance.
    bent = x[:, 0] * (x[:, 1] > 0) + 0.8 * np.abs(x[:, 2])
    signal = x[:, :5].sum(axis=1) if is_linear else bent
    signal = (signal - signal.mean()) / signal.std()
    noise, sigma = garch(rng, bars)
    start = np.arange(bars, dtype=np.int64) * HOUR_MS
    returns = (ic * signal + np.sqrt(1 - ic**2) * noise) * sigma
    rows = Dataset(
        features=x.astype(np.float32),
        forward_return=returns,
        horizon_sigma=sigma,
        start_ms=start,
        end_ms=start + HOUR_MS,
        group=np.ones(bars, np.int64),
        momentum=rng.standard_normal(bars),
        reversal=rng.standard_normal(bars),
        uniqueness=np.ones(bars),
    )
    return Market(rows, signal)


def fit(rows: Dataset) -> FittedEnsemble:
    """Fit and judge the default recipe."""
    from mlmodels.adapters.factory import get_trainers

    return fit_ensemble(
        rows,
        trainers=get_trainers(),
        horizon_bars=1,
        interval_ms=HOUR_MS,
        seed=1,
        progress=lambda *_: None,
    )


def recovered(seed: int, *, ic: float, is_linear: bool, bars: int = 16_000) -> float:
    """Return the share of the Sharpe ratio of one who knows the signal, on 8,000 fresh rows."""
    from mlmodels.adapters.factory import get_trainers

    test = 8_000
    found = market(seed, bars=bars + test, ic=ic, is_linear=is_linear)
    fresh = np.arange(bars, bars + test)
    members = fit_members(found.rows.take(np.arange(bars)), get_trainers(), 1, Lesson())
    margin = np.mean([one.margins(found.rows.features[fresh]) for one in members], axis=0)
    outcome = found.rows.forward_return[fresh] / found.rows.horizon_sigma[fresh]
    best = _sharpe(found.signal[fresh], outcome)
    return _sharpe(margin - margin.mean(), outcome) / best


def of_noise(seed: int) -> tuple[bool, int, int]:
    """Return whether noise was called skill, and on how many of how many rows it would act."""
    found = fit(market(1000 + seed, bars=6000).rows)
    judged = found.judged
    worth = np.flatnonzero(judged.expected_return > COST)
    acted = sum(
        probability_above(
            COST,
            p_up=float(judged.p_up[row]),
            lower=float(judged.lower[row]),
            upper=float(judged.upper[row]),
        )
        >= 0.6
        for row in worth
    )
    return found.pooled.verdict is Verdict.SKILLED, int(acted), len(judged.p_up)


def judged(seed: int, *, ic: float, is_linear: bool) -> Evaluation:
    """Return what the gates say of a planted signal."""
    return fit(market(seed, bars=24_000, ic=ic, is_linear=is_linear).rows).pooled


def _sharpe(position: FloatArray, outcome: FloatArray) -> float:
    profit = position * outcome
    return float(profit.mean() / profit.std())


@dataclass(frozen=True)
class _Recovery:
    ic: float
    is_linear: bool

    def __call__(self, seed: int) -> float:
        return recovered(seed, ic=self.ic, is_linear=self.is_linear)


@dataclass(frozen=True)
class _Power:
    ic: float
    is_linear: bool

    def __call__(self, seed: int) -> list[str]:
        found = judged(seed, ic=self.ic, is_linear=self.is_linear)
        return [gate.name for gate in found.gates if not gate.is_passed]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all, say each figure as it comes, and write them to DATA_DIR/honesty.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="markets of noise")
    parser.add_argument("--planted", type=int, default=40, help="markets of each planted signal")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings.dev")
    django.setup()  # the walk of live training reads no row, but its rooms know the tables
    with ProcessPoolExecutor(given.processes) as pool:
        _measure(pool, _Book(), seeds=given.seeds, planted=given.planted)


class _Book:
    """Says each figure as it comes and keeps the file up to date: a run may be cut short."""

    def __init__(self) -> None:
        self._figures: dict[str, Any] = {}

    def write(self, name: str, value: Any) -> None:
        self._figures[name] = value
        print(f"{name:32} {value:.4g}" if isinstance(value, float) else f"{name:32} {value}")
        folder = Path(os.environ.get("DATA_DIR", "var"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "honesty.json").write_text(json.dumps(self._figures, indent=1))


def _measure(pool: ProcessPoolExecutor, book: _Book, *, seeds: int, planted: int) -> None:
    noise = _each(pool, of_noise, seeds, "noise")
    book.write("noise_seeds", seeds)
    book.write("noise_promoted", sum(found for found, _, _ in noise))
    book.write("noise_acted_fraction", sum(n for _, n, _ in noise) / sum(n for *_, n in noise))
    book.write("noise_acted_median", float(np.median([n for _, n, _ in noise])))
    for ic, is_linear in ((0.10, True), (0.10, False), (0.05, True)):
        name = _name(ic, is_linear)
        shares = _each(pool, _Recovery(ic, is_linear), planted, f"recovery {name}")
        book.write(f"recovered_{name}_mean", float(np.mean(shares)))
        book.write(f"recovered_{name}_least", float(min(shares)))
    _measure_watching(pool, book, markets=max(4, planted // 2), models=seeds)
    for ic, is_linear in ((0.10, True), (0.10, False), (0.2, True), (0.4, True), (0.6, True)):
        name = _name(ic, is_linear)
        failed = _each(pool, _Power(ic, is_linear), max(4, planted // 4), f"gate {name}")
        book.write(f"passed_{name}", sum(not gates for gates in failed) / len(failed))
        book.write(f"failed_{name}", dict(Counter(gate for gates in failed for gate in gates)))


def _measure_watching(pool: ProcessPoolExecutor, book: _Book, *, markets: int, models: int) -> None:
    from bench import vigilance

    for ic in (vigilance.IC, 0.0):
        alarms = _each(pool, partial(vigilance.false_triggers, ic=ic), markets, f"alarms {ic}")
        book.write(f"false_triggers_per_10k_{ic:.2f}", vigilance.per_10_000(alarms))
        book.write(f"false_triggers_{ic:.2f}", dict(sum(alarms, Counter())))
    book.write("false_triggers_markets", markets)
    for horizon, symbols in ((1, 1), (4, 4)):
        seen = partial(vigilance.flip_noticed, horizon=horizon, symbols=symbols)
        late = _each(pool, seen, models, f"flip {symbols}")
        in_time = [found is not None and found <= 500 for found in late]
        book.write(f"flip_in_500_h{horizon}_s{symbols}", float(np.mean(in_time)))
        book.write(f"flip_median_h{horizon}_s{symbols}", float(np.median([f or 1e9 for f in late])))
    drift = _each(pool, vigilance.false_drift, models, "drift")
    weeks = sum(found for *_, found in drift)
    book.write("drift_false_per_feature", sum(one for one, *_ in drift) / (3 * weeks))
    book.write("drift_false_per_window", sum(all_ for _, all_, _ in drift) / weeks)
    doubted = _each(pool, vigilance.skill_doubted, max(4, models // 4), "doubt")
    book.write("skill_doubted_in_10k_h1", float(np.mean(doubted)))


def _name(ic: float, is_linear: bool) -> str:  # noqa: FBT001 - the two words of a name
    return f"{'linear' if is_linear else 'bent'}_{ic:.2f}"


def _each(
    pool: ProcessPoolExecutor, measure: Callable[[int], Any], count: int, label: str
) -> list[Any]:
    from tqdm import tqdm

    return list(tqdm(pool.map(measure, range(count)), total=count, desc=label, leave=False))


if __name__ == "__main__":
    main()
