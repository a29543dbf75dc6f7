import numpy as np
import pytest

from simexchange.market.bars import CLOSE, HIGH, LOW, OPEN, TAKER, VOLUME, Ints
from simexchange.market.generated import PLANTED_IC, GeneratedSource

START = 1_717_200_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
WINDOWS = (1, 2, 3, 6, 9, 12)
HORIZON = 12
SEEDS = range(100, 108)


def make(seed: int, symbols: tuple[str, ...] = SYMBOLS, days: float = 60) -> GeneratedSource:
    return GeneratedSource(symbols=symbols, seed=seed, start_ms=START, history_days=days)


def rows_of(source: GeneratedSource, symbol: str) -> Ints:
    rows, closed = source.candle_rows(symbol)
    return rows.block(0, closed)


def measured_ic(rows: Ints) -> float:
    """Fit on the first half, correlate with what followed on the second."""
    bars = rows[-(len(rows) // 5 * 5) :].reshape(-1, 5, rows.shape[1])
    price = np.log(bars[:, -1, CLOSE].astype(np.float64))
    imbalance = bars[:, :, TAKER].sum(axis=1) / bars[:, :, VOLUME].sum(axis=1) - 0.5
    summed = np.concatenate([[0.0], np.cumsum(imbalance)])
    at = np.arange(12, len(price) - HORIZON)
    features = [np.ones(len(at))]
    features += [(summed[at + 1] - summed[at + 1 - width]) / width for width in WINDOWS]
    features += [price[at] - price[at - width] for width in WINDOWS]
    inputs = np.stack(features, axis=1)
    future = price[at + HORIZON] - price[at]
    half = len(at) // 2
    weights, *_ = np.linalg.lstsq(inputs[: half - HORIZON], future[: half - HORIZON], rcond=None)
    return float(np.corrcoef(inputs[half:] @ weights, future[half:])[0, 1])


@pytest.mark.slow
def test_its_planted_signal_is_as_strong_as_declared_and_noise_is_noise() -> None:
    ics = np.array(
        [[measured_ic(rows_of(source, s)) for s in SYMBOLS] for source in map(make, SEEDS)]
    )

    planted, noise = ics[:, :2], ics[:, 2]

    assert 0.40 <= planted.mean() <= 0.50
    assert abs(planted.mean() - PLANTED_IC) < 0.04
    assert planted.min() > 0.25
    assert abs(noise.mean()) < 0.03
    assert np.abs(noise).max() < 0.09


def test_its_five_minute_moves_are_worth_trading() -> None:
    rows = rows_of(make(3), "BTCUSDT")

    moves = np.diff(np.log(rows[::5, CLOSE].astype(np.float64)))

    assert 0.0025 < moves.std() < 0.004


def test_its_candles_are_whole() -> None:
    source = make(4, days=10)
    for symbol in SYMBOLS:
        rows = rows_of(source, symbol)

        assert (rows[:, HIGH] >= np.maximum(rows[:, OPEN], rows[:, CLOSE])).all()
        assert (rows[:, LOW] <= np.minimum(rows[:, OPEN], rows[:, CLOSE])).all()
        assert (rows[1:, OPEN] == rows[:-1, CLOSE]).all()
        assert (rows[:, TAKER] < rows[:, VOLUME]).all()
        assert (rows[:, TAKER] > 0).all()


def test_it_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def bytes_of(source: GeneratedSource) -> bytes:
        live = [source.bar_at(START + minute * 60_000).rows for minute in range(500)]
        return rows_of(source, "BTCUSDT").tobytes() + np.stack(live).tobytes()

    assert bytes_of(make(1, days=2)) == bytes_of(make(1, days=2))
    assert bytes_of(make(1, days=2)) != bytes_of(make(2, days=2))


def test_a_symbols_path_does_not_depend_on_its_neighbors() -> None:
    together = rows_of(make(1, days=2), "ETHUSDT")

    alone = rows_of(make(1, ("ETHUSDT",), days=2), "ETHUSDT")

    assert (together == alone).all()


def test_live_candles_go_on_where_history_ends() -> None:
    source = make(6, days=1)
    last_close = int(rows_of(source, "SOLUSDT")[-1, CLOSE])

    for minute in range(600):
        row = source.bar_at(START + minute * 60_000).rows[2]
        assert row[OPEN] == last_close
        assert row[LOW] <= min(row[OPEN], row[CLOSE])
        last_close = int(row[CLOSE])


def test_it_declares_what_is_planted() -> None:
    source = make(9, days=1)

    assert source.describe("BTCUSDT") == {
        "source": "generated",
        "seed": 9,
        "regime": "mixed",
        "signal": "planted",
        "ic": PLANTED_IC,
        "horizon_minutes": 60,
        "visible_in": "taker-buy share, momentum",
    }
    assert source.describe("SOLUSDT") == {
        "source": "generated",
        "seed": 9,
        "regime": "mixed",
        "signal": "noise",
    }
