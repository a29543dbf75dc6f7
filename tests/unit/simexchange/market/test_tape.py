"""Candles are what their trades made them, trade by trade."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from simexchange.market.candles import Candle
from simexchange.market.characters import CHARACTERS
from simexchange.market.live import SimMarket
from simexchange.market.opening import MarketOptions, open_market
from simexchange.market.seconds import second_candles
from simexchange.market.symbolstate import Print

START = 1_717_200_000_000
MINUTE = 60_000


def collect(market: SimMarket) -> dict[str, list[Print]]:
    tapes: dict[str, list[Print]] = {symbol: [] for symbol in market.symbols}
    market.on_print(lambda symbol, entry: tapes[symbol].append(entry))
    return tapes


def made_of(market: SimMarket, symbol: str, entries: list[Print]) -> tuple[int, ...]:
    quote = [market.states[symbol].grid.quote_units(one.ticks, one.units) for one in entries]
    return (
        entries[0].ticks,
        max(one.ticks for one in entries),
        min(one.ticks for one in entries),
        entries[-1].ticks,
        sum(one.units for one in entries),
        sum(quote),
        len(entries),
        sum(one.units for one in entries if not one.is_buyer_maker),
        sum(q for q, one in zip(quote, entries, strict=True) if not one.is_buyer_maker),
        entries[0].trade_id,
    )


def within(entries: list[Print], candle: Candle) -> list[Print]:
    return [one for one in entries if candle.open_ms <= one.time_ms <= candle.close_ms]


@pytest.mark.parametrize("regime", sorted(CHARACTERS))
def test_a_generated_candle_is_the_fold_of_its_trades(regime: str) -> None:
    clock, market = open_market(
        MarketOptions(manual=True, start_ms=START, history_days=1, regime=regime)
    )
    tapes = collect(market)

    for _ in range(40):
        clock.advance(9_000)
        market.catch_up()
        for symbol in market.symbols:
            bid, ask = market.best(symbol)
            step = market.instrument(symbol).step_size
            market.consume(symbol, "BUY", ask, step * 3)
            market.consume(symbol, "SELL", bid, step * 2)

    for symbol, state in market.states.items():
        candles = [c for c in state.store.candles("1m", limit=9) if c.open_ms > START]
        assert candles
        for candle in candles:
            assert candle[2:] == made_of(market, symbol, within(tapes[symbol], candle))


def test_the_seconds_sum_to_the_minutes() -> None:
    clock, market = open_market(MarketOptions(manual=True, start_ms=START, history_days=1))
    clock.advance(5 * MINUTE + 1_500)
    market.catch_up()

    for state in market.states.values():
        minute = state.store.candles("1m", limit=2)[0]
        seconds = second_candles(
            state, now_ms=clock.now_ms(), start_ms=minute.open_ms, end_ms=minute.close_ms, limit=60
        )
        assert [one.open_ms for one in seconds] == list(
            range(minute.open_ms, minute.open_ms + MINUTE, 1_000)
        )
        assert max(one.high for one in seconds if one.trades) == minute.high
        assert seconds[-1].close == minute.close
        for name in ("volume", "quote", "trades", "taker", "taker_quote"):
            assert sum(getattr(one, name) for one in seconds) == getattr(minute, name)


@pytest.mark.parametrize("seed", range(4))
def test_a_replayed_tape_sums_to_the_files_volumes(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = tmp_path / "AAAUSDT_1m_x.csv.gz"
    with gzip.open(path, "wt", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(
            ["open_time", "open", "high", "low", "close", "volume", "trades", "taker_buy_base"]
        )
        for minute in range(90):
            opened, close = rng.integers(900, 1_100, 2).tolist()
            volume = int(rng.integers(200, 10 ** int(rng.integers(3, 7))))
            taker = int(rng.choice([0, volume, rng.integers(0, volume)]))
            row = [START + minute * MINUTE, opened, max(opened, close) + 5]
            row += [min(opened, close) - 5, close, volume / 100]
            writer.writerow([*row, int(rng.integers(1, 500)), taker / 100])
    clock, market = open_market(MarketOptions(data=(path,), history_bars=30, manual=True))
    tapes = collect(market)

    clock.advance(50 * MINUTE)
    market.catch_up()

    for candle in market.states["AAAUSDT"].store.candles("1m", limit=50)[1:-1]:
        entries = within(tapes["AAAUSDT"], candle)
        made = Candle(candle.open_ms, candle.close_ms, *made_of(market, "AAAUSDT", entries))
        assert made[2:7] == candle[2:7]
        assert made.taker == candle.taker or candle.volume < 2 * len(entries)


def test_what_nobody_follows_is_played_whole_with_the_same_candles() -> None:
    options = MarketOptions(manual=True, start_ms=START, history_days=1, regime="SOLUSDT=gap")
    found = []
    for unwatched in (False, True):
        clock, market = open_market(options)
        market.is_unwatched = lambda unwatched=unwatched: unwatched
        clock.advance(700 * MINUTE + 30_000)
        market.catch_up()
        found.append(
            {
                symbol: (
                    state.store.candles("1m", limit=800),
                    state.last_ticks,
                    state.next_id,
                    list(state.tape)[-20:],
                )
                for symbol, state in market.states.items()
            }
        )

    assert found[0] == found[1]


def test_a_regime_is_what_its_name_says() -> None:
    text = "BTCUSDT=trend,ETHUSDT=range,SOLUSDT=flat,BNBUSDT=crash,XRPUSDT=gap,ADAUSDT=noise"
    symbols = tuple(part.partition("=")[0] for part in text.split(","))
    _, market = open_market(
        MarketOptions(manual=True, start_ms=START, history_days=20, symbols=symbols, regime=text)
    )
    hours = {
        symbol: np.log([c.close for c in state.store.candles("4h", limit=118)][1:-1])
        for symbol, state in market.states.items()
    }
    usual = np.abs(np.diff(hours["ADAUSDT"])).mean()

    assert np.abs(np.diff(hours["BTCUSDT"])).mean() > 1.3 * usual
    assert np.abs(np.diff(hours["ETHUSDT"])).mean() < 0.2 * usual
    assert np.ptp(hours["SOLUSDT"]) < 0.1 * np.ptp(hours["ADAUSDT"])
    falls = [c.low / c.open - 1 for c in market.states["BNBUSDT"].store.candles("4h", limit=118)]
    assert np.median(falls) < -0.05
    gappy = [c.open_ms for c in market.states["XRPUSDT"].store.candles("1m", limit=20_000)]
    assert len(gappy) < 20 * 24 * 60 - 120 * 10
    assert np.diff(gappy).max() >= 11 * MINUTE
    assert market.describe()["XRPUSDT"]["regime"] == "gap"


@pytest.mark.parametrize("regime", ["storm", "DOGEUSDT=flat", "BTCUSDT="])
def test_it_refuses_a_regime_it_does_not_know(regime: str) -> None:
    with pytest.raises(ValueError, match="--regime"):
        open_market(MarketOptions(manual=True, start_ms=START, history_days=1, regime=regime))
