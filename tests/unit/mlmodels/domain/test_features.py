from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmodels.domain.features import (
    LIMIT,
    FeatureSpec,
    PointSeries,
    compute,
    compute_last,
)
from mlmodels.domain.indicators.registry import feature, unregister
from mlmodels.domain.indicators.terms import parse_term, parse_timeframe_ms
from tests.unit.mlmodels.market import HOUR_MS, generate

SPEC = FeatureSpec(interval_ms=HOUR_MS)
NAMES, WARMUP = SPEC.names, SPEC.warmup
CANDLES = generate(1200, seed=7, ic=0.2)
WHOLE = compute(CANDLES, SPEC)


def column(matrix, name):
    return matrix.values[:, NAMES.index(name)]


def same_bits(left, right):
    return left.tobytes() == right.tobytes()


@settings(deadline=None, max_examples=250)
@given(cut=st.integers(min_value=WARMUP, max_value=1200))
def test_it_gives_a_prefix_the_same_bits_as_the_whole(cut):
    prefix = compute(CANDLES.cut(None, cut), SPEC)

    rows = cut - WARMUP + 1
    assert same_bits(prefix.values, WHOLE.values[:rows])
    assert same_bits(prefix.sigma, WHOLE.sigma[:rows])


@settings(deadline=None, max_examples=250)
@given(cut=st.integers(min_value=WARMUP, max_value=1200), extra=st.integers(0, 300))
def test_it_gives_the_newest_row_of_any_window_the_same_bits(cut, extra):
    start = max(0, cut - WARMUP - extra)

    live = compute_last([CANDLES.cut(start, cut)], SPEC)

    assert same_bits(live.values[0], WHOLE.values[cut - WARMUP])
    assert live.sigma[0] == WHOLE.sigma[cut - WARMUP]
    assert live.close_time_ms[0] == WHOLE.close_time_ms[cut - WARMUP]


@pytest.mark.parametrize("symbols", [1, 2, 3, 17, 100])
def test_it_stacks_symbols_without_changing_a_bit(symbols):
    windows = [generate(WARMUP + extra % 5, seed=extra) for extra in range(symbols)]

    stacked = compute_last(windows, SPEC)

    assert stacked.values.shape == (symbols, len(NAMES))
    for row, window in enumerate(windows):
        assert same_bits(stacked.values[row], compute(window, SPEC).values[-1])


@settings(deadline=None, max_examples=50)
@given(cut=st.integers(min_value=WARMUP, max_value=1100), seed=st.integers(0, 1000))
def test_it_does_not_look_at_what_comes_after(cut, seed):
    other = generate(1200, seed=seed)
    names = ("open", "high", "low", "close", "volume", "quote_volume", "taker_buy_base")
    disturbed = replace(
        CANDLES,
        **{
            name: np.concatenate([getattr(CANDLES, name)[:cut], getattr(other, name)[cut:]])
            for name in names
        },
    )

    found = compute(disturbed, SPEC)

    rows = cut - WARMUP + 1
    assert same_bits(found.values[:rows], WHOLE.values[:rows])


def test_it_needs_exactly_its_warm_up():
    own = FeatureSpec(interval_ms=HOUR_MS, names=("rsi_14", "ema_gap_24", "return_48"))
    whole = compute(CANDLES, own)
    far = replace(CANDLES, close=np.concatenate([CANDLES.close[:1] * 3, CANDLES.close[1:]]))

    changed = compute(far, own)

    assert own.warmup == 96
    assert not same_bits(changed.values[0], whole.values[0])
    assert same_bits(changed.values[1:], whole.values[1:])


def test_it_gives_no_rows_before_the_warm_up_is_over():
    assert compute(CANDLES.cut(None, WARMUP - 1), SPEC).values.shape == (0, len(NAMES))
    assert compute(CANDLES.cut(None, WARMUP), SPEC).values.shape == (1, len(NAMES))
    with pytest.raises(ValueError, match=f"needs {WARMUP} candles, was {WARMUP - 1}"):
        compute_last([CANDLES.cut(None, WARMUP - 1)], SPEC)


def test_it_marks_rows_whose_warm_up_misses_a_candle():
    gapped = CANDLES.without(500)

    found = compute(gapped, SPEC)

    missing = np.flatnonzero(~found.is_complete) + WARMUP - 1
    assert missing.tolist() == list(range(500, 500 + WARMUP - 1))


def test_it_is_finite_and_calm_in_a_market_that_does_not_move():
    flat = replace(
        CANDLES,
        open=np.full(1200, 5.0),
        high=np.full(1200, 5.0),
        low=np.full(1200, 5.0),
        close=np.full(1200, 5.0),
        volume=np.zeros(1200),
        taker_buy_base=np.zeros(1200),
    )

    found = compute(flat, SPEC)

    market = [name for name in NAMES if not name.startswith(("day_", "week_", "is_weekend"))]
    assert {name: float(np.abs(column(found, name)).max()) for name in market} == dict.fromkeys(
        market, 0.0
    )
    assert not found.sigma.any()


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        *product(["high", "low", "close", "volume"], [np.nan, np.inf, -1.0]),
        ("taker_buy_base", np.inf),
        ("taker_buy_base", -1.0),
    ],
)
def test_it_refuses_candles_that_are_not_numbers(name, bad):
    broken = getattr(CANDLES, name).copy()
    broken[-1] = bad

    with pytest.raises(ValueError, match=name):
        compute(replace(CANDLES, **{name: broken}), SPEC)


def test_it_takes_unpublished_taker_volume_as_neutral():
    unknown = replace(CANDLES, taker_buy_base=np.full(1200, np.nan))

    found = compute(unknown, SPEC)

    assert np.isfinite(found.values).all()
    assert not column(found, "taker_1").any()
    assert not column(found, "taker_24").any()
    assert same_bits(column(found, "return_1"), column(WHOLE, "return_1"))


def test_it_computes_what_the_names_say():
    close, volume, bought = CANDLES.close, CANDLES.volume, CANDLES.taker_buy_base
    returns = close[1:] / close[:-1] - 1.0
    sigma = np.sqrt(np.mean(returns[-48:] ** 2))
    gains, losses = np.maximum(returns, 0)[-14:].sum(), np.maximum(-returns, 0)[-14:].sum()
    imbalance = 2 * bought / volume - 1
    expected = {
        "return_1": returns[-1] / sigma,
        "return_12": (close[-1] / close[-13] - 1) / (sigma * np.sqrt(12)),
        "rsi_14": 2 * gains / (gains + losses) - 1,
        "taker_1": imbalance[-1],
        "taker_12": imbalance[-12:].mean(),
        "volume_z_48": (volume[-1] - volume[-48:].mean()) / volume[-48:].std(),
        "place_24": 2
        * (close[-1] - CANDLES.low[-24:].min())
        / (CANDLES.high[-24:].max() - CANDLES.low[-24:].min())
        - 1,
    }

    found = {name: float(column(WHOLE, name)[-1]) for name in expected}

    assert found == pytest.approx(expected, rel=1e-5)


def test_it_follows_the_calendar_of_the_close():
    # 2024-01-06 was a Saturday; the candle that opens on Friday at 23:00 closes as it begins.
    friday_ms = 1_704_495_600_000
    start_ms = friday_ms - (WARMUP - 1) * HOUR_MS
    candles = generate(WARMUP + 6, seed=1, start_ms=start_ms)

    found = compute(candles, SPEC)

    assert found.close_time_ms[0] == 1_704_499_200_000
    assert column(found, "is_weekend").tolist() == [0, 1, 1, 1, 1, 1, 1]
    assert column(found, "day_sine")[0] == 0
    assert column(found, "day_sine")[6] == pytest.approx(1.0)
    assert column(found, "day_cosine")[0] == pytest.approx(1.0)


def test_it_bounds_every_feature():
    spike = CANDLES.high.copy()
    spike[-1] *= 1000

    found = compute(replace(CANDLES, high=spike), SPEC)

    assert column(found, "range_1")[-1] == LIMIT
    assert float(np.abs(found.values).max()) == LIMIT


def test_it_sees_longer_candles_only_when_they_have_closed():
    names = ("return_1@4h", "return_3@1d", "rsi_7@4h", "place_7@1d", "taker_3@4h", "range_2@4h")
    spec = FeatureSpec(interval_ms=HOUR_MS, names=names)
    found = compute(CANDLES, spec)
    hours = (CANDLES.open_time_ms + HOUR_MS) // HOUR_MS  # closes, counted in hours
    for row in (0, 1, 2, 3, 4, 50, 333, 700):
        place = row + spec.warmup - 1
        four = place - hours[place] % 4  # the newest candle that ended a 4 h bar
        day = place - hours[place] % 24
        returns = CANDLES.close[1:] / CANDLES.close[:-1] - 1.0
        sigma = np.sqrt(4 * np.mean(returns[four - 48 : four] ** 2))
        change = CANDLES.close[four] / CANDLES.close[four - 4] - 1.0
        highs = CANDLES.high[day - 7 * 24 + 1 : day + 1].max()
        lows = CANDLES.low[day - 7 * 24 + 1 : day + 1].min()
        expected = [
            change / sigma,
            2 * (CANDLES.close[day] - lows) / (highs - lows) - 1,
        ]
        seen = [found.values[row, names.index(name)] for name in (names[0], "place_7@1d")]
        assert seen == pytest.approx(expected, rel=1e-5)


def test_it_takes_columns_of_other_symbols_and_earlier_bars():
    other = generate(1200, seed=11)
    names = ("return_6", "return_6~2", "return_6#OTHER", "rsi_7@4h#OTHER~1")
    spec = FeatureSpec(interval_ms=HOUR_MS, names=names)

    found = compute(CANDLES, spec, references={"OTHER": other})

    assert spec.symbols == ("OTHER",)
    assert same_bits(found.values[2:, 1], found.values[:-2, 0])
    alone = compute(other, FeatureSpec(interval_ms=HOUR_MS, names=("return_6", "rsi_7@4h~1")))
    rows = len(found.values)
    assert same_bits(found.values[:, 2], alone.values[-rows:, 0])
    assert same_bits(found.values[:, 3], alone.values[-rows:, 1])


def test_it_is_neutral_about_references_it_does_not_know():
    spec = FeatureSpec(interval_ms=HOUR_MS, references=("AAA", "BBB"))
    cross = [i for i, name in enumerate(spec.names) if name.startswith(("market", "relative"))]
    other = generate(1200, seed=11).without(900)

    nobody = compute(CANDLES, spec)
    gapped = compute(CANDLES, spec, references={"AAA": other})

    assert len(cross) == 7
    assert not nobody.values[:, cross].any()
    unknown = ~gapped.values[:, cross].any(axis=1)
    assert (np.flatnonzero(unknown) + spec.warmup - 1).tolist() == list(
        range(900, 900 + spec.warmup)
    )


def test_it_compares_with_the_market():
    others = [generate(1200, seed=seed) for seed in (21, 22)]
    spec = FeatureSpec(interval_ms=HOUR_MS, references=("AAA", "BBB"))
    references = dict(zip(spec.references, others, strict=True))

    found = compute(CANDLES, spec, references=references)
    live = compute_last(
        [CANDLES.cut(700, 1000), generate(1200, seed=30).cut(700, 1000)],
        spec,
        references={symbol: known.cut(700, 1000) for symbol, known in references.items()},
    )

    own = {name: found.values[:, i].astype(float) for i, name in enumerate(spec.names)}
    each = [
        compute(other, FeatureSpec(interval_ms=HOUR_MS, names=("return_6",))) for other in others
    ]
    mean = np.mean([part.values[-len(found.values) :, 0] for part in each], axis=0)
    assert own["market_6"] == pytest.approx(mean, rel=1e-5, abs=1e-6)
    assert own["relative_6"] == pytest.approx(own["return_6"] - mean, rel=1e-4, abs=1e-5)
    assert np.abs(own["market_corr_48"]).max() < 0.8
    assert same_bits(live.values[0], found.values[1000 - spec.warmup])


def test_it_joins_external_series_as_they_were_known():
    spec = FeatureSpec(interval_ms=HOUR_MS, names=("return_1", "external_mood"))
    closes = compute(CANDLES, spec).close_time_ms
    mood = PointSeries(
        available_ms=np.array([closes[10], closes[20] + 1, closes[20] + 2]),
        values=np.array([0.5, -0.25, 0.75]),
    )

    found = compute(CANDLES, spec, series={"mood": mood}).values[:, 1]

    assert found[:10].tolist() == [0.0] * 10
    assert found[10:21].tolist() == [0.5] * 11
    # what came after a close is known from the next one on, and for a day
    assert found[21:45].tolist() == [0.75] * 24
    assert not found[45:].any()
    live = compute_last([CANDLES.cut(0, 60)], spec, series=[{"mood": mood}])
    assert live.values[0, 1] == found[60 - spec.warmup]


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ([2, 1], [0.0, 0.0], "ascend"),
        ([1], [0.0, 0.0], "equally long"),
        ([1], [np.nan], "finite"),
    ],
)
def test_it_refuses_external_series_that_make_no_sense(times, values, message):
    with pytest.raises(ValueError, match=message):
        PointSeries(available_ms=np.array(times), values=np.array(values))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rsy_14", "no feature 'rsy'"),
        ("rsi", "rsi needs a period"),
        ("is_weekend_3", "no feature|takes no period"),
        ("rsi_14@7h", "divide the day"),
        ("rsi_14@30m", "multiple of the candle"),
        ("rsi_14@4x", "looks like 15m"),
        ("day_sine~2", "only features of candles"),
        ("rsi_14~x", "not a number of bars"),
    ],
)
def test_it_says_which_name_means_nothing(name, message):
    with pytest.raises(ValueError, match=message):
        FeatureSpec(interval_ms=HOUR_MS, names=(name,))


@pytest.mark.parametrize("frame", ["1m", "3m", "5m", "15m", "30m", "2h", "4h", "6h", "8h", "12h"])
def test_it_keeps_the_bits_at_every_length_of_candle(frame):
    interval_ms = parse_timeframe_ms(frame)
    spec = FeatureSpec(interval_ms=interval_ms)
    candles = generate(500, seed=4, interval_ms=interval_ms, start_ms=1_700_006_400_000)
    whole = compute(candles, spec)

    assert spec.warmup < 500
    for cut in range(spec.warmup, 500, 37):
        live = compute_last([candles.cut(cut - spec.warmup, cut)], spec)
        assert same_bits(live.values[0], whole.values[cut - spec.warmup])


def test_it_takes_a_plug_in_by_one_function_and_one_registration():
    @feature("gap_up", bars=2)
    def gap_up(bars, period):
        return bars.at("close") / bars.at("close", 1) - float(period)

    try:
        spec = FeatureSpec(interval_ms=HOUR_MS, names=("gap_up_1", "gap_up_1@4h~1"))
        found = compute(CANDLES, spec)
        assert found.values[-1, 0] == np.float32(CANDLES.close[-1] / CANDLES.close[-2] - 1.0)
        assert spec.is_current
        with pytest.raises(ValueError, match="there is a feature 'gap_up' already"):
            feature("gap_up")(gap_up)
    finally:
        unregister("gap_up")
        parse_term.cache_clear()
    assert not spec.is_current


def test_it_names_the_features_by_a_hash():
    again = FeatureSpec.from_json(SPEC.to_json())

    assert again == SPEC
    assert again.spec_hash == SPEC.spec_hash
    assert FeatureSpec(interval_ms=60_000).spec_hash != SPEC.spec_hash
    assert replace(SPEC, code_version=0).spec_hash != SPEC.spec_hash


def test_it_refuses_a_spec_of_other_code():
    with pytest.raises(ValueError, match="code version"):
        compute(CANDLES, replace(SPEC, code_version=0))
