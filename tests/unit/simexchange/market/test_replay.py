import csv
import gzip
import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from simexchange.market.opening import MarketOptions, open_market

MINUTE = 60_000
START = 1_700_000_040_000 // MINUTE * MINUTE
SHARED = Path(os.environ.get("SHARED_DATA", "../shared/data")) / "candles"
NATIVE = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")


def write_file(
    folder: Path, symbol: str, *, skip: tuple[int, ...] = (), native: bool = True
) -> Path:
    rng = np.random.default_rng(len(symbol))
    path = folder / f"{symbol}_1m_test.csv.gz"
    price = 2_000
    with gzip.open(path, "wt", newline="") as stream:
        writer = csv.writer(stream)
        head = ["open_time", "open", "high", "low", "close", "volume"]
        writer.writerow([*head, *NATIVE] if native else head)
        for minute in range(120):
            close = max(100, price + int(rng.integers(-30, 31)))
            high, low = max(price, close) + int(rng.integers(9)), min(price, close) - 3
            volume = 0 if minute == 70 else int(rng.integers(1, 90_000))
            if minute == 70:
                high = low = close = price
            row = [
                START + minute * MINUTE,
                *(f"{ticks / 100:.2f}" for ticks in (price, high, low, close)),
                f"{volume / 1000:.3f}",
            ]
            if native:
                row += [
                    f"{volume * price / 100_000:.5f}",
                    volume // 10 + 1,
                    f"{volume // 3 / 1000:.3f}",
                ]
                row += [f"{volume // 3 * price / 100_000:.5f}"]
            if minute not in skip:
                writer.writerow(row)
            price = close
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as stream:
        return list(csv.DictReader(stream))


def play(path: Path, symbols: tuple[str, ...], *, history: int, minutes: int, step_ms: int):
    clock, market = open_market(
        MarketOptions(data=(path,), symbols=symbols, history_bars=history, manual=True)
    )
    for _ in range(0, minutes * MINUTE, step_ms):
        clock.advance(step_ms)
        market.catch_up()
    return clock, market


@pytest.mark.parametrize("step_ms", [1_000, 37_000, 20 * MINUTE])
def test_its_candles_equal_the_file_with_gaps_kept(tmp_path: Path, step_ms: int) -> None:
    files = {
        "AAAUSDT": write_file(tmp_path, "AAAUSDT"),
        "BBBBUSDT": write_file(tmp_path, "BBBBUSDT", skip=(61, 62, 63, 80)),
    }

    _, market = play(tmp_path, (), history=50, minutes=60, step_ms=step_ms)

    for symbol, path in files.items():
        state = market.states[symbol]
        closed = list(state.store.candles("1m", limit=1000))
        if state.store.running_open_ms is not None:
            closed.pop()
        expected = rows_of(path)[: len(closed)]
        assert len(closed) >= 105
        for candle, row in zip(closed, expected, strict=True):
            grid = state.grid
            assert candle.open_ms == int(row["open_time"])
            for name in ("open", "high", "low", "close"):
                assert grid.price(getattr(candle, name)) == Decimal(row[name])
            assert Decimal(grid.volume_text(candle.volume)) == Decimal(row["volume"])
            assert Decimal(grid.quote_text(candle.quote)) == Decimal(row["quote_volume"])
            assert Decimal(grid.volume_text(candle.taker)) == Decimal(row["taker_buy_base"])


def test_own_trades_only_add_volume(tmp_path: Path) -> None:
    path = write_file(tmp_path, "AAAUSDT")
    clock, market = play(path, (), history=50, minutes=1, step_ms=30_000)
    clock.advance(10_000)
    market.catch_up()

    market.consume("AAAUSDT", "BUY", Decimal("99999.00"), Decimal("1.5"))
    clock.advance(MINUTE)
    market.catch_up()

    row = rows_of(path)[51]
    candle = market.states["AAAUSDT"].store.candle_at("1m", int(row["open_time"]))
    grid = market.states["AAAUSDT"].grid
    assert grid.price(candle.high) == Decimal(row["high"])
    assert grid.price(candle.close) == Decimal(row["close"])
    assert Decimal(grid.volume_text(candle.volume)) == Decimal(row["volume"]) + Decimal("1.5")


def test_the_tape_touches_the_extremes_of_every_candle(tmp_path: Path) -> None:
    path = write_file(tmp_path, "AAAUSDT")
    clock, market = open_market(MarketOptions(data=(path,), history_bars=50, manual=True))
    seen: list[tuple[int, Decimal]] = []
    market.on_trade(lambda trade: seen.append((trade.time_ms, trade.price)))

    clock.advance(10 * MINUTE)
    market.catch_up()

    for row in rows_of(path)[51:59]:
        open_ms = int(row["open_time"])
        prices = [price for at_ms, price in seen if open_ms <= at_ms < open_ms + MINUTE]
        assert prices[0] == Decimal(row["open"])
        assert prices[-1] == Decimal(row["close"])
        assert max(prices) == Decimal(row["high"])
        assert min(prices) == Decimal(row["low"])


def test_it_says_which_columns_it_made_up_and_when_it_ends(tmp_path: Path) -> None:
    path = write_file(tmp_path, "AAAUSDT", native=False)

    _, market = play(path, (), history=110, minutes=15, step_ms=MINUTE)

    about = market.describe()["AAAUSDT"]
    assert about["source"] == "replay"
    assert about["file"] == path.name
    assert about["made_up"] == ["quote", "trades", "taker", "taker_quote"]
    assert about["ended"] is True


def test_it_refuses_files_that_do_not_fit(tmp_path: Path) -> None:
    write_file(tmp_path, "AAAUSDT")
    odd = tmp_path / "prices.csv"
    odd.write_text("open_time\n")

    with pytest.raises(ValueError, match="named SYMBOL_INTERVAL"):
        open_market(MarketOptions(data=(odd,)))
    with pytest.raises(ValueError, match="no such candle file"):
        open_market(MarketOptions(data=(tmp_path / "none.csv",)))
    with pytest.raises(ValueError, match="no interval has candles of all"):
        open_market(MarketOptions(data=(tmp_path,), symbols=("AAAUSDT", "XXXUSDT")))
    with pytest.raises(ValueError, match="history wants"):
        open_market(MarketOptions(data=(tmp_path,), history_bars=120))


def write_cheap(folder: Path, volumes: list[str]) -> Path:
    """Write candles of a coin that is traded by the million million."""
    path = folder / "PEPEUSDT_1m_test.csv"
    lines = [",".join(("open_time", "open", "high", "low", "close", "volume", *NATIVE))]
    for minute, volume in enumerate(volumes):
        quote = f"{Decimal(volume) * Decimal('0.00001'):f}"
        prices = "0.00001,0.00001002,0.00000999,0.00001"
        lines.append(f"{START + minute * MINUTE},{prices},{volume},{quote},900,{volume},{quote}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_volumes_beyond_64_bits_of_the_eighth_decimal_come_out_exactly(tmp_path: Path) -> None:
    volumes = ["5000.00000000", "92233720369.00", "123456789012345", "1.0", "99999999999999.0"]
    path = write_cheap(tmp_path, volumes * 8)

    _, market = play(path, (), history=5, minutes=35, step_ms=MINUTE)

    state = market.states["PEPEUSDT"]
    candles = state.store.candles("1m", limit=1000)
    assert len(candles) == 40
    for candle, volume in zip(candles, volumes * 8, strict=True):
        assert Decimal(state.grid.volume_text(candle.volume)) == Decimal(volume)
        assert Decimal(state.grid.volume_text(candle.taker)) == Decimal(volume)
        exact = Decimal(volume) * Decimal("0.00001")
        shown = Decimal(state.grid.quote_text(candle.quote))
        assert abs(shown - exact) <= Decimal(10) ** -state.grid.quote_decimals / 2


def test_a_volume_that_no_64_bits_hold_is_named(tmp_path: Path) -> None:
    path = write_cheap(tmp_path, ["5000.12345678", "92233720369.00"])

    with pytest.raises(ValueError, match=r"line 3: volume has too many digits; what 64 bits hold"):
        open_market(MarketOptions(data=(path,), history_bars=1))


@pytest.mark.skipif(not SHARED.exists(), reason="the shared candles are not here")
def test_real_candles_come_out_as_they_went_in() -> None:
    path = SHARED / "futures_um_1m_native" / "NEARUSDT_1m_2023-08-01_2023-10-31.csv.gz"

    _, market = play(path, (), history=2_000, minutes=600, step_ms=60 * MINUTE)

    state = market.states["NEARUSDT"]
    closed = state.store.candles("1m", limit=601)[:-1]
    for candle, row in zip(closed, rows_of(path)[2_000:2_600], strict=True):
        assert candle.open_ms == int(row["open_time"])
        assert [state.grid.price(p) for p in candle[2:6]] == [
            Decimal(row[name]) for name in ("open", "high", "low", "close")
        ]
        assert candle.trades == int(row["trades"])
        assert Decimal(state.grid.quote_text(candle.quote)) == Decimal(row["quote_volume"])
