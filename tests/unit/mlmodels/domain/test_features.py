from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmodels.domain.features import (
    LIMIT,
    NAMES,
    WARMUP,
    FeatureSpec,
    compute,
    compute_last,
)
from tests.unit.mlmodels.market import HOUR_MS, generate

SPEC = FeatureSpec(interval_ms=HOUR_MS)
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
    far = replace(CANDLES, close=np.concatenate([CANDLES.close[:1] * 3, CANDLES.close[1:]]))

    changed = compute(far, SPEC)

    assert not same_bits(changed.values[0], WHOLE.values[0])
    assert same_bits(changed.values[1:], WHOLE.values[1:])


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

    market = [name for name in NAMES if not name.startswith(("day_", "is_weekend"))]
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


def test_it_names_the_features_by_a_hash():
    again = FeatureSpec.from_json(SPEC.to_json())

    assert again == SPEC
    assert again.spec_hash == SPEC.spec_hash
    assert FeatureSpec(interval_ms=60_000).spec_hash != SPEC.spec_hash
    assert replace(SPEC, code_version=0).spec_hash != SPEC.spec_hash


def test_it_refuses_a_spec_of_other_code():
    with pytest.raises(ValueError, match="code version"):
        compute(CANDLES, replace(SPEC, code_version=0))
