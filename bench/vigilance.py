"""Does watching cry wolf, and does it see the wolf: the promises about alarms, measured.

Everything goes through the code that watches live models: the markets are made up, the alarms are
not.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from bench.honesty import HOUR_MS, garch
from markets.domain.windows import Window
from mlmodels.domain.drift import DriftReference, fit_drift
from mlmodels.domain.evaluation import OutOfFold
from mlmodels.domain.features import FeatureSpec
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.triggers import drift_alarm, model_alarm, skill_alarm

FloatArray = NDArray[np.float64]

TRAIN_BARS, LIVE_BARS = 4000, 10_000
HORIZON = 12
IC = 0.1
LOOK_BARS = 6  # the cool-down of alarms
WEEK = 168
SLOW = ("fast", "slow", "slowest")
_NEWEST = 3000  # outcomes that live code looks at
_APPOINTMENTS = ("first", "interval", "watching")


def candles(seed: int, *, bars: int, ic: float = 0.0, memory: float = 0.9) -> Window:
    """Return hours of a market that never changes, whose volatility clusters (GARCH).

    A hidden state of that memory leans the taker flow; the next return correlates with it by `ic`.
    """
    rng = np.random.default_rng(seed)
    noise, sigma = garch(rng, bars)
    state = _remembering(rng, bars, memory)
    returns = np.sqrt(1 - ic**2) * noise
    returns[1:] += ic * state[:-1]
    close = 100.0 * np.exp(np.cumsum(np.clip(returns * sigma, -0.2, 0.2)))
    opened = np.concatenate([close[:1], close[:-1]])
    volume = rng.lognormal(0.0, 0.5, bars) * sigma / sigma.mean()
    wick = 0.3 * sigma * np.abs(rng.standard_normal((2, bars)))
    return Window(
        open_time_ms=1_700_000 * HOUR_MS // 1000 * 1000 + np.arange(bars, dtype=np.int64) * HOUR_MS,
        open=opened,
        high=np.maximum(opened, close) * (1 + wick[0]),
        low=np.minimum(opened, close) * (1 - wick[1]),
        close=close,
        volume=volume,
        quote_volume=volume * close,
        taker_buy_base=volume / (1 + np.exp(-0.5 * (state + rng.standard_normal(bars)))),
    )


def false_triggers(
    seed: int, *, ic: float = IC, live_bars: int = LIVE_BARS, recipe: str = ""
) -> Counter[str]:
    """Return the trainings that alarms began while one symbol's market stayed the same.

    There are no appointments: each of them would only make a champion forget its alarms.
    """
    from mlmodels.adapters.factory import get_trainers
    from mlmodels.services.live_walk import walk_live
    from mlmodels.services.walk_forward import WalkPlan

    market = candles(seed, bars=TRAIN_BARS + live_bars, ic=ic)
    lived = walk_live(
        {1: market},
        plan=WalkPlan(
            spec=FeatureSpec(interval_ms=HOUR_MS),
            label=LabelSpec(horizon_bars=HORIZON),
            begin_ms=int(market.open_time_ms[TRAIN_BARS]),
            every_bars=10**6,
            train_bars=TRAIN_BARS,
        ),
        error_threshold=0.02,
        trainers=get_trainers(recipe) if recipe else get_trainers(),
        progress=lambda *_: None,
    )
    return Counter(
        event.trigger
        for event in lived.events
        if event.outcome in ("PROMOTED", "REJECTED") and event.trigger not in _APPOINTMENTS
    )


def outcomes(
    seed: int,
    *,
    ic: float | FloatArray,
    bars: int = 2000,
    horizon: int = 4,
    symbols: int = 4,
    stated: float = IC,
) -> OutOfFold:
    """Return predictions of a calibrated model in a market whose volatility clusters.

    `ic` is a number or one per bar: what the forecast is really worth; the model states `stated`.
    """
    rng = np.random.default_rng(seed)
    worth = np.broadcast_to(np.asarray(ic, float), bars)
    calm = np.exp(np.convolve(rng.standard_normal(bars + 99), np.ones(100) / 14, "valid"))
    parts = []
    for group in range(symbols):
        signal = rng.standard_normal(bars)
        noise = np.convolve(rng.standard_t(5, bars + horizon - 1), np.ones(horizon), "valid")
        noise /= noise.std()
        outcome = worth * signal + np.sqrt(1 - worth**2) * noise
        sigma = 0.01 * calm
        expected = stated * signal * sigma
        p_up = 1 / (1 + np.exp(-1.6 * stated * signal))
        parts.append(
            (np.arange(bars), np.full(bars, group), p_up, outcome * sigma, expected, sigma)
        )
    time, group, p_up, realized, expected, sigma = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    order = np.lexsort((group, time))
    return OutOfFold(
        time_ms=time[order],
        group=group[order],
        p_up=p_up[order],
        base_rate=np.full(len(order), 0.5),
        forward_return=realized[order],
        expected_return=expected[order],
        horizon_sigma=sigma[order],
        lower=-1.6 * sigma[order],
        upper=1.6 * sigma[order],
    )


def flip_noticed(seed: int, *, horizon: int = 1, symbols: int = 1) -> int | None:
    """Return the predictions of a symbol until a turned signal raises an alarm; None: it did not.

    The correlation is `IC` for 1,000 closes and then as far below nothing.
    """
    turn, last = 1000, 2000
    worth = np.where(np.arange(last) < turn, IC, -IC)
    rows = outcomes(seed, ic=worth, bars=last, horizon=horizon, symbols=symbols)
    for bar in range(turn + LOOK_BARS, last + 1, LOOK_BARS):
        newest = (rows.time_ms < bar) & (rows.time_ms >= bar - _NEWEST // symbols)
        alarm = model_alarm(
            rows.where(newest),
            horizon=timedelta(hours=horizon),
            horizon_bars=horizon,
            threshold=0.02,
            promised_ic=IC,
            drift=dict,
        )
        if alarm is not None:
            return bar - turn
    return None


def skill_doubted(seed: int, *, horizon: int = 1, bars: int = LIVE_BARS) -> bool:
    """Tell whether a model that keeps its promise is doubted at any look."""
    rows = outcomes(seed, ic=IC, bars=bars, horizon=horizon, symbols=1)
    return any(
        skill_alarm(
            rows.where((rows.time_ms < bar) & (rows.time_ms >= bar - _NEWEST)),
            horizon_bars=horizon,
            promised_ic=IC,
        )
        for bar in range(LOOK_BARS, bars + 1, LOOK_BARS)
    )


def slow_features(seed: int, *, rows: int = 9000) -> NDArray[np.float32]:
    """Return a fast, a slow and a very slow feature that never drift, shape (rows, 3)."""
    rng = np.random.default_rng(seed)
    columns = [_remembering(rng, rows, memory) for memory in (0.0, 0.95, 0.99)]
    return np.stack(columns, axis=1).astype(np.float32)


def reference_of(features: NDArray[np.float32]) -> DriftReference:
    """Return what drift of ``slow_features`` is held against."""
    return fit_drift(
        features,
        names=SLOW,
        time_ms=np.arange(len(features)),
        importance=np.array([1.0, 2.0, 3.0]),
        window_bars=WEEK,
        seed=1,
    )


def false_drift(seed: int, *, known: int = 7000) -> tuple[int, int, int]:
    """Return false alarms of single features, of all three at once, and the weeks looked at."""
    features = slow_features(seed)
    reference = reference_of(features[:known])
    single = together = weeks = 0
    for start in range(known, len(features) - WEEK, WEEK):
        found = reference.measure(features[start : start + WEEK], SLOW)
        single += sum(psi > threshold for psi, threshold in found.values())
        together += drift_alarm(found) is not None
        weeks += 1
    return single, together, weeks


def per_10_000(counts: Sequence[Counter[str]], *, live_bars: int = LIVE_BARS) -> float:
    """Return alarms per 10,000 bars."""
    return sum(found.total() for found in counts) * 10_000 / (live_bars * len(counts))


def _remembering(rng: np.random.Generator, rows: int, memory: float) -> FloatArray:
    shocks = rng.standard_normal(rows) * np.sqrt(1 - memory**2)
    found, value = np.empty(rows), 0.0
    for row in range(rows):
        value = memory * value + shocks[row]
        found[row] = value
    return found
