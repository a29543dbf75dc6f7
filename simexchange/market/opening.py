"""From options to a clock and a market that stands at its present."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simexchange.clock import SimClock, read_wall_ms
from simexchange.market.bars import Source
from simexchange.market.characters import read_characters
from simexchange.market.fed import FedMarket
from simexchange.market.floor import Floor
from simexchange.market.generated import PLANTED_BY_DEFAULT, GeneratedSource
from simexchange.market.intervals import MINUTE_MS
from simexchange.market.live import SimMarket
from simexchange.market.mirror import Mirror
from simexchange.market.recording import Recording, recordings_among
from simexchange.market.replay import ReplaySource, say_nothing
from simexchange.market.venue import Venue

DEFAULT_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
DEFAULT_HISTORY_BARS = 2_000
HISTORY_DAYS_TOTAL = 600
MOST_HISTORY_DAYS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketOptions:
    """What the command line says about the market.

    Attributes:
        data: candle files, recordings or folders of them; empty means generated prices.
        symbols: which symbols; for files empty means all found.
        seed: the one seed.
        speed: exchange seconds per wall second.
        manual: the clock stands still and is advanced by hand.
        history_bars: replay: closed candles served before the clock's start.
        history_days: generated: days before the start; by default 60, fewer for many symbols.
        interval: replay: which files to take where several intervals lie together.
        start_ms: generated: exchange time at the start; by default the wall clock's minute.
        planted: generated: symbols with the declared signal.
        say: is told of progress where opening takes long.
        mirror: REST address of an exchange to follow live; then `history_bars` are minutes.
        mirror_streams: address of its streams, where it is not the usual one.
        regime: generated: a regime for all symbols, or ``SYMBOL=NAME,…``; see `characters`.
    """

    data: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    seed: int = 7
    speed: float = 1.0
    manual: bool = False
    history_bars: int = DEFAULT_HISTORY_BARS
    history_days: float | None = None
    interval: str | None = None
    start_ms: int | None = None
    planted: frozenset[str] = PLANTED_BY_DEFAULT
    say: Callable[[str], None] = say_nothing
    mirror: str = ""
    mirror_streams: str = ""
    regime: str = ""


def open_market(
    options: MarketOptions,
    *,
    saved: dict[str, Any] | None = None,
    wall: Callable[[], float] = read_wall_ms,
) -> tuple[SimClock, Floor]:
    """Return the clock and the market, ready to be asked; `Floor.run` keeps it going.

    Args:
        options: what to open.
        saved: a `Floor.snapshot` to go on from. Generated prices at speed 1 then go on at the
            wall clock's time, everything else where it stood.
        wall: reads the wall clock in milliseconds.

    Raises:
        ValueError: when options, files or snapshot do not fit.
    """
    wall_ms = wall()
    if options.mirror:
        return _open_mirror(options, saved, wall)
    if recordings_among(options.data):
        return _open_recording(options, saved, wall)
    start_ms = options.start_ms
    if saved is not None:
        start_ms = int(saved["source"]["start_ms"])
    source = _open_source(options, start_ms if start_ms is not None else int(wall_ms))
    origin_ms = source.start_ms
    follows_wall = not options.data and options.speed == 1.0 and not options.manual
    if follows_wall and options.start_ms is None:
        origin_ms = max(origin_ms, int(wall_ms))
    if saved is not None:
        origin_ms = max(origin_ms, int(saved["now_ms"]))
    clock = SimClock(
        origin_sim_ms=origin_ms,
        speed=options.speed,
        manual=options.manual,
        wall=wall,
        origin_wall_ms=wall_ms,
    )
    return clock, SimMarket(source, clock, saved)


def _open_mirror(
    options: MarketOptions, saved: dict[str, Any] | None, wall: Callable[[], float]
) -> tuple[SimClock, Floor]:
    if options.speed != 1.0 or options.manual:
        raise ValueError("a mirror runs at --speed 1, as the exchange that it follows")
    symbols = options.symbols or DEFAULT_SYMBOLS[:2]
    feed = Mirror(
        Venue(options.mirror),
        symbols,
        history_bars=options.history_bars,
        stream_url=options.mirror_streams or None,
    )
    clock = SimClock(origin_sim_ms=feed.start_ms, wall=wall)
    return clock, FedMarket(feed, clock, saved)


def _open_recording(
    options: MarketOptions, saved: dict[str, Any] | None, wall: Callable[[], float]
) -> tuple[SimClock, Floor]:
    paths = recordings_among(options.data)
    feed = Recording(paths, symbols=options.symbols, seed=options.seed)
    origin_ms = feed.start_ms if saved is None else max(feed.start_ms, int(saved["now_ms"]))
    clock = SimClock(origin_sim_ms=origin_ms, speed=options.speed, manual=options.manual, wall=wall)
    return clock, FedMarket(feed, clock, saved)


def _open_source(options: MarketOptions, start_ms: int) -> Source:
    if options.data:
        return ReplaySource(
            options.data,
            symbols=options.symbols,
            seed=options.seed,
            history_bars=options.history_bars,
            interval=options.interval,
            say=options.say,
        )
    symbols = options.symbols or DEFAULT_SYMBOLS
    days = options.history_days
    if days is None:
        days = min(MOST_HISTORY_DAYS, max(1, HISTORY_DAYS_TOTAL // len(symbols)))
    return GeneratedSource(
        symbols=symbols,
        seed=options.seed,
        start_ms=start_ms // MINUTE_MS * MINUTE_MS,
        history_days=days,
        planted=options.planted,
        characters=read_characters(options.regime, symbols),
    )
