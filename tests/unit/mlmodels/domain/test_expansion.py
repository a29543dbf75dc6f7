import pytest

from mlmodels.domain.expansion import Expansion, default_names
from tests.unit.mlmodels.market import HOUR_MS


def test_it_has_about_sixty_columns_by_default():
    names = default_names(interval_ms=HOUR_MS, has_references=True)

    assert len(names) == len(set(names)) == 60
    assert {name.partition("@")[2] for name in names} == {"", "4h", "1d"}


@pytest.mark.parametrize(
    ("interval_ms", "longer"),
    [
        (60_000, {"5m", "15m"}),
        (300_000, {"15m", "1h"}),
        (900_000, {"1h", "4h"}),
        (4 * HOUR_MS, {"1d"}),
        (24 * HOUR_MS, set()),
    ],
)
def test_it_adds_the_next_longer_candles(interval_ms, longer):
    names = default_names(interval_ms=interval_ms)

    assert {name.partition("@")[2] for name in names} - {""} == longer


def test_it_multiplies_timeframes_periods_shifts_and_symbols():
    names = Expansion(
        features=("rsi", "ema_gap", "taker"),
        include_timeframes=("1h", "4h", "1d"),
        indicator_periods_candles=(10, 20),
        include_shifted_candles=2,
        include_corr_pairlist=("BTCUSDT",),
    ).names(interval_ms=HOUR_MS)

    # FreqAI's example: 3 features * 3 timeframes * 2 periods * 3 (now and two shifts) * 2 pairs
    assert len(names) == 3 * 3 * 2 * 3 * 2
    assert {"rsi_10", "taker_20@1d#BTCUSDT~2"} <= set(names)


def test_it_takes_named_columns_and_external_series_as_they_are():
    names = Expansion(features=("rsi_9",), external=("sentiment",)).names(interval_ms=HOUR_MS)

    assert names == ("rsi_9", "external_sentiment")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"include_timeframe": []}, "unknown key 'include_timeframe'"),
        ({"features": "rsi"}, "features must be a list, was 'rsi'"),
        ({"include_shifted_candles": "2"}, "include_shifted_candles must be a int"),
        ({"has_defaults": 1}, "has_defaults must be a bool"),
        ({"features": ["rsy"]}, "no feature 'rsy'"),
        ({"features": ["day_sine"]}, "cannot be expanded"),
        ({"features": ["rsi"], "include_timeframes": ["4x"]}, "looks like 15m"),
    ],
)
def test_it_says_what_is_wrong_with_a_configuration(given, message):
    with pytest.raises(ValueError, match=message):
        Expansion.from_json(given).names(interval_ms=HOUR_MS)


@pytest.mark.parametrize("timeframe", ["7m", "5h"])
def test_it_refuses_a_timeframe_that_no_candles_make(timeframe):
    wanted = Expansion.from_json({"features": ["rsi_7"], "include_timeframes": [timeframe]})

    with pytest.raises(ValueError, match=f"include_timeframes: '{timeframe}'"):
        wanted.names(interval_ms=3_600_000)


def test_it_passes_over_timeframes_for_models_of_shorter_candles():
    wanted = Expansion.from_json({"features": ["rsi_7"], "include_timeframes": ["15m", "1h", "4h"]})

    assert wanted.names(interval_ms=3_600_000) == ("rsi_7", "rsi_7@4h")
