"""Which market the local exchange plays in demo and paper mode, and how fast."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import NeedsOperator
from markets.domain.timeframe import Timeframe

# One candle closes every so many seconds of the wall: fast enough to watch.
BAR_WALL_S = 3.0
# Six symbols with a declared planted signal, and SOLUSDT of pure noise beside them.
GENERATED_SYMBOLS = (
    *("BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT"),
    "SOLUSDT",
)
_FILE_NAME = re.compile(r"^(?P<symbol>[A-Z0-9]{5,20})_(?P<interval>[0-9]+[mhd])(_.*)?\.csv(\.gz)?$")
_MAX_REPLAYED = 2
# Candles before the market's start: what the first model learns from (`prepare_desk`). More would
# only lie in the exchange's memory: 2 MB per day with seven generated symbols.
HISTORY_BARS = 9_000
_DAY_S = 86_400
MIRRORED_SYMBOLS = ("BTCUSDT", "ETHUSDT")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoMarket:
    """What the exchange is asked to play.

    Attributes:
        symbols: Traded symbols.
        timeframe: Of the candles that decisions are made on.
        speed: Market seconds per second of the wall.
        arguments: Options for ``python -m simexchange``.
        state_file: Where the exchange keeps this market's books.
    """

    symbols: tuple[str, ...]
    timeframe: Timeframe
    speed: float
    arguments: tuple[str, ...]
    state_file: str = "state.jsonl"


def generated_market(*, speed: float | None) -> DemoMarket:
    """The seeded market: planted signals on some symbols, noise on another, declared as such."""
    timeframe = Timeframe("5m")
    days = math.ceil(HISTORY_BARS * timeframe.seconds / _DAY_S)
    # A market whose first day has something to do at all hours; 31 was flat or fell for half of it.
    source = ("--generate", "--seed", "50", "--history-days", str(days))
    return _market(GENERATED_SYMBOLS, timeframe, speed, source)


def replayed_market(data: Path, *, speed: float | None) -> DemoMarket:
    """Real candles from the files in `data` (or the one file); BTC and ETH where they are there.

    Raises:
        NeedsOperator: There is no candle file with a name such as BTCUSDT_1h_….csv.gz.
    """
    files = sorted(data.iterdir()) if data.is_dir() else [data]
    found = {
        match["symbol"]: (path, match["interval"])
        for path in files
        if (match := _FILE_NAME.match(path.name))
    }
    if not found:
        raise NeedsOperator(
            f"SIM_DATA={data} holds no candle file named like BTCUSDT_1h_2018.csv.gz.",
            variable="SIM_DATA",
        )
    wanted = [symbol for symbol in ("BTCUSDT", "ETHUSDT") if symbol in found]
    symbols = tuple(wanted or sorted(found)[:_MAX_REPLAYED])
    paths = [str(found[symbol][0]) for symbol in symbols]
    timeframe = Timeframe(found[symbols[0]][1])
    history = ("--history-bars", str(HISTORY_BARS))
    return _market(symbols, timeframe, speed, ("--data", *paths, *history))


def mirrored_market(url: str) -> DemoMarket:
    """The real market, followed live through the public streams of the exchange at `url`."""
    timeframe = Timeframe("5m")
    minutes = HISTORY_BARS * timeframe.seconds // 60
    return DemoMarket(
        symbols=MIRRORED_SYMBOLS,
        timeframe=timeframe,
        speed=1.0,
        arguments=(
            *("--mirror", url, "--history-bars", str(minutes)),
            *("--symbols", ",".join(MIRRORED_SYMBOLS), "--balance", "USDT=100000"),
        ),
        state_file="paper.jsonl",
    )


def _market(
    symbols: tuple[str, ...], timeframe: Timeframe, speed: float | None, source: tuple[str, ...]
) -> DemoMarket:
    chosen = speed or timeframe.seconds / BAR_WALL_S
    return DemoMarket(
        symbols=symbols,
        timeframe=timeframe,
        speed=chosen,
        arguments=(
            *source,
            *("--symbols", ",".join(symbols), "--interval", timeframe.value),
            *("--speed", f"{chosen:g}", "--balance", "USDT=100000"),
        ),
    )
