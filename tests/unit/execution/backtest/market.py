"""What a replay needs in a test: series, rules and a trained model, all in memory."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import numpy as np

from execution.backtest.series import Series
from execution.domain.decision import StrategyConfig
from markets.domain.instrument import InstrumentRules
from markets.domain.timeframe import Timeframe
from markets.domain.windows import FLOAT_FIELDS, Window
from mlmodels.adapters.factory import get_all_trainers, get_trainers
from mlmodels.domain.dataset import build_dataset
from mlmodels.domain.features import FeatureSpec
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.services.fitting import fit_ensemble
from mlmodels.services.packing import pack_model
from mlmodels.services.serving import ServedModel, read_model
from tests.unit.mlmodels.market import HOUR_MS, generate

D = Decimal


def rules(instrument_id=1, symbol="BTCUSDT", **changed):
    base = symbol.removesuffix("USDT")
    given = {
        "status": "TRADING",
        "tick_size": D("0.01"),
        "step_size": D("0.0001"),
        "min_quantity": D("0.0001"),
        "min_notional": D(5),
        **changed,
    }
    return InstrumentRules(
        instrument_id=instrument_id, symbol=symbol, base_asset=base, quote_asset="USDT", **given
    )


def window_of(generated, digits=2):
    """Return generated candles on the exchange's grid, as a live store holds them."""
    arrays = {name: getattr(generated, name) for name in FLOAT_FIELDS}
    for name in ("open", "high", "low", "close"):
        arrays[name] = np.round(arrays[name], digits)
    for name in ("volume", "quote_volume", "taker_buy_base"):
        arrays[name] = arrays[name] * 1000.0  # deep enough for an order of a thousand
    arrays["high"] = np.maximum.reduce([arrays["open"], arrays["close"], arrays["high"]])
    arrays["low"] = np.minimum.reduce([arrays["open"], arrays["close"], arrays["low"]])
    return Window(open_time_ms=generated.open_time_ms, **arrays)


def planted(bars=3000, *, seed=1, ic=0.5, instrument_id=1, symbol="BTCUSDT"):
    """Return an hourly series whose taker flow tells something of the next returns."""
    return Series(
        rules=rules(instrument_id, symbol),
        timeframe=Timeframe.H1,
        candles=window_of(generate(bars, seed=seed, ic=ic)),
    )


def by_hand(*candles, start_ms=1_700_006_400_000, timeframe=Timeframe.H1, volume=1000.0):
    """Return a series of (open, high, low, close) candles."""
    table = np.array(candles, dtype=float)
    count = len(table)
    nan = np.full(count, np.nan)
    return Window(
        open_time_ms=start_ms + timeframe.ms * np.arange(count, dtype=np.int64),
        open=table[:, 0],
        high=table[:, 1],
        low=table[:, 2],
        close=table[:, 3],
        volume=np.full(count, volume),
        quote_volume=nan,
        taker_buy_base=nan,
    )


def config(**changed):
    given = {
        "bar_s": 3600,
        "base_position_size": D(1000),
        "max_position_size": D(10_000),
        "min_confidence": 0.6,
        "min_edge_bps": 5.0,
        "cost_bps": 22.0,
        "cooldown_bars": 1,
        "max_holding_bars": 24,
        **changed,
    }
    return StrategyConfig(**given)


@dataclass(frozen=True)
class Trained:
    model: ServedModel
    series: Series


@cache
def train(bars=6500, seed=1, ic=0.5, version_id=1):
    """Return a model trained on the first bars of a planted market."""
    return train_on(
        {1: planted(bars, seed=seed, ic=ic)},
        FeatureSpec(interval_ms=HOUR_MS),
        version_id=version_id,
    )


def train_on(series, spec, *, version_id=1):
    """Return a model trained on series by instrument id, each the others' reference if named."""
    label = LabelSpec(horizon_bars=12)
    dataset = build_dataset(
        {key: item.candles for key, item in series.items()},
        spec=spec,
        horizon_bars=12,
        references={item.rules.symbol: item.candles for item in series.values()},
    )
    fitted = fit_ensemble(
        dataset,
        trainers=get_trainers("ensemble"),
        horizon_bars=12,
        interval_ms=HOUR_MS,
        seed=1,
        progress=lambda done, total, message: None,
    )
    files = pack_model(
        fitted,
        dataset=dataset,
        candles={key: item.candles for key, item in series.items()},
        spec=spec,
        label=label,
        seed=1,
    )
    bundle, members = read_model(files, trainers=get_all_trainers())
    return ServedModel(version_id=version_id, name="test", bundle=bundle, members=members)
