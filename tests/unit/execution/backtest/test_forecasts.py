"""Forecasts made ahead are those of the serving path, bit for bit, and travel in time."""

from dataclasses import replace

import numpy as np
import pytest

from execution.backtest import forecasts
from execution.backtest.forecasts import Serving, forecast, serving_at
from execution.backtest.series import Series
from markets.domain.timeframe import Timeframe
from mlmodels.domain.expansion import default_names
from mlmodels.domain.features import FeatureSpec, compute_last
from mlmodels.domain.prediction import PredictionState
from mlmodels.domain.surroundings import Surroundings
from tests.unit.execution.backtest.market import planted, rules, train, train_on, window_of
from tests.unit.mlmodels.market import HOUR_MS, generate

NUMBERS = ("p_up", "expected_return", "lower", "upper", "sigma")


def test_it_equals_the_serving_path_bit_for_bit():
    model = train()
    market = planted(2500, seed=7)
    warmup = model.bundle.spec.warmup
    made = forecast(market, [Serving(from_ms=0, model=model)])
    rng = np.random.default_rng(3)
    rows = sorted(rng.integers(warmup - 1, len(market), 200).tolist())

    for row in rows:
        # As at a live close: the symbol's last candles, in a batch of some size, at some place.
        window = market.candles
        cut = type(window)(
            **{name: getattr(window, name)[row + 1 - warmup : row + 1] for name in window.__slots__}
        )
        batch, place = int(rng.integers(1, 9)), 0
        served = model.predict(
            compute_last([cut] * batch, model.bundle.spec), np.full(batch, 1, np.int64)
        )
        for name in NUMBERS:
            assert getattr(made, name)[row] == getattr(served, name)[place], (name, row)


def without(series, *rows):
    """Return the series with some candles missing."""
    kept = np.setdiff1d(np.arange(len(series)), rows)
    window = series.candles
    cut = type(window)(**{name: getattr(window, name)[kept] for name in window.__slots__})
    return replace(series, candles=cut)


def until(window, close_ms, length):
    """Return the newest candles up to a close, as the live store cuts them."""
    end = int(window.open_time_ms.searchsorted(close_ms - HOUR_MS, side="right"))
    first = max(0, end - length)
    return type(window)(**{name: getattr(window, name)[first:end] for name in window.__slots__})


def test_references_give_the_bits_of_the_serving_path_over_gaps_and_chunks(monkeypatch):
    names = {1: "BTCUSDT", 2: "ETHUSDT", 3: "SOLUSDT"}
    pool = {
        key: planted(1500, seed=key, instrument_id=key, symbol=symbol)
        for key, symbol in names.items()
    }
    spec = FeatureSpec(
        interval_ms=HOUR_MS,
        names=(*default_names(interval_ms=HOUR_MS, has_references=True), "taker_3#BNBUSDT"),
        references=tuple(names.values()),
    )
    pool[4] = planted(1500, seed=4, instrument_id=4, symbol="BNBUSDT")
    model = train_on(pool, spec)
    # The symbol misses one candle, its references others, one of them begins late.
    own = without(pool[2], 700)
    others = {
        "BTCUSDT": without(pool[1], 400, 1200).candles,
        "ETHUSDT": own.candles,
        "SOLUSDT": without(pool[3], *range(300), 950, 951).candles,
        "BNBUSDT": without(pool[4], 1000).candles,
    }
    around = Surroundings(references=others)
    monkeypatch.setattr(forecasts, "_CHUNK", 97)

    made = forecast(own, [Serving(from_ms=0, model=model, around=around)])
    alone = forecast(own, [Serving(from_ms=0, model=model)])

    compared = 0
    for row in range(spec.warmup - 1, len(own), 3):
        close_ms = int(own.close_ms[row])
        features = compute_last(
            [until(own.candles, close_ms, spec.warmup)],
            spec,
            references={
                symbol: until(window, close_ms, spec.warmup) for symbol, window in others.items()
            },
        )
        served = model.predict(features, np.array([2]))
        few = made.view(row).state is PredictionState.TOO_FEW_CANDLES
        assert few is not bool(features.is_complete[0])
        if not few:
            compared += 1
            for name in NUMBERS:
                assert getattr(made, name)[row] == getattr(served, name)[0], (name, row)
    assert compared > 300
    assert not np.array_equal(made.p_up, alone.p_up, equal_nan=True)


def test_a_suspended_model_is_not_believed():
    model = replace(train(), is_suspended=True)

    made = forecast(planted(400, seed=7), [Serving(from_ms=0, model=model)])

    assert made.view(300).state is PredictionState.NO_SKILL


def test_it_makes_the_views_that_live_code_gets():
    model = train()
    made = forecast(planted(300, seed=7), [Serving(from_ms=0, model=model)])

    early, late = made.view(5), made.view(250)

    assert (early.state, early.p_up) == (PredictionState.TOO_FEW_CANDLES, None)
    assert (late.state, late.horizon_bars, late.model_name) == (PredictionState.OK, 12, "test")
    assert late.p_up == made.p_up[250]


def test_it_predicts_by_the_model_that_served_then():
    market = planted(600, seed=7)
    older, newer = train(), train(ic=0.4, version_id=2)
    change = int(market.close_ms[400])
    both = forecast(
        market,
        [
            Serving(from_ms=int(market.close_ms[300]), model=older),
            Serving(from_ms=change, model=newer),
        ],
    )
    alone = forecast(market, [Serving(from_ms=0, model=older)])

    assert both.view(250).state is PredictionState.NO_MODEL
    assert [both.view(row).model_version_id for row in (300, 399, 400)] == [1, 1, 2]
    assert np.array_equal(both.p_up[300:400], alone.p_up[300:400])
    assert not np.array_equal(both.p_up[400:], alone.p_up[400:])


def test_it_trusts_only_symbols_on_which_skill_was_shown():
    market = planted(300, seed=7, instrument_id=9, symbol="XXXUSDT")

    made = forecast(market, [Serving(from_ms=0, model=train())])

    assert made.view(250).state is PredictionState.NO_SKILL


def test_it_predicts_nothing_over_a_gap():
    whole = generate(600, seed=7, ic=0.5)
    market = Series(rules=rules(), timeframe=Timeframe.H1, candles=window_of(whole.without(350)))

    made = forecast(market, [Serving(from_ms=0, model=train())])

    states = [made.view(row).state for row in (349, 350, 564, 565)]
    few, fine = PredictionState.TOO_FEW_CANDLES, PredictionState.OK
    assert states == [fine, few, few, fine]


def test_it_finds_what_served_at_a_close():
    first, second = (Serving(from_ms=ms, model=train()) for ms in (10, 20))

    assert [serving_at([first, second], ms) for ms in (9, 10, 19, 20)] == [
        None,
        first,
        first,
        second,
    ]


def test_it_refuses_models_out_of_order():
    with pytest.raises(ValueError, match="one after the other"):
        forecast(
            planted(200),
            [Serving(from_ms=HOUR_MS, model=train()), Serving(from_ms=0, model=train())],
        )
