"""``python -m simexchange``: a Binance-compatible spot exchange on this machine."""

import argparse
import asyncio
import re
import socket
import sys
import time
from decimal import Decimal, InvalidOperation
from pathlib import Path

from simexchange.faces.limits import ORDERS_10S_LIMIT, WEIGHT_LIMIT
from simexchange.journal import COMPACT_ABOVE
from simexchange.market.opening import MarketOptions
from simexchange.market.venue import DEFAULT_URL
from simexchange.program import ClockOrigin, Options, Program

LOOPBACK = "127.0.0.1"
EXAMPLE = """example:
  python -m simexchange --port 9443 --generate --symbols BTCUSDT,ETHUSDT --balance USDT=10000

Point python-binance at it with API_URL=http://127.0.0.1:9443/api; see simexchange/README.md."""


def read_balances(text: str) -> dict[str, Decimal]:
    """Read ``BTC=1,USDT=10000``."""
    balances = {}
    for part in text.split(","):
        asset, _, quantity = part.partition("=")
        if not re.fullmatch(r"[A-Z0-9]{1,20}", asset.strip()):
            raise argparse.ArgumentTypeError(f"an asset looks like BTC=1, was {part!r}")
        try:
            held = Decimal(quantity)
        except InvalidOperation as error:
            raise argparse.ArgumentTypeError(f"{part!r} has no number") from error
        if not held.is_finite() or held < 0:
            raise argparse.ArgumentTypeError(f"a balance is zero or more, was {part!r}")
        balances[asset.strip()] = held
    return balances


def read_clock(text: str) -> ClockOrigin:
    """Read ``ORIGIN_WALL_MS:ORIGIN_SIM_MS:SPEED``."""
    try:
        wall_ms, sim_ms, speed = text.split(":")
        origin = ClockOrigin(wall_ms=float(wall_ms), sim_ms=int(float(sim_ms)), speed=float(speed))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"a clock is ORIGIN_WALL_MS:ORIGIN_SIM_MS:SPEED, was {text!r}"
        ) from error
    if origin.speed <= 0:
        raise argparse.ArgumentTypeError(f"speed must be above zero, was {origin.speed}")
    return origin


def read_fee(text: str) -> Decimal:
    """Read basis points, 0 to 1000."""
    try:
        fee_bps = Decimal(text)
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"basis points are a number, was {text!r}") from error
    if not 0 <= fee_bps <= 1000:
        raise argparse.ArgumentTypeError(f"basis points lie between 0 and 1000, was {text}")
    return fee_bps


def read_seconds(text: str) -> float:
    """Read a number of seconds, zero or more."""
    try:
        seconds = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"seconds are a number, was {text!r}") from error
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"seconds are zero or more, was {text}")
    return seconds


def read_megabytes(text: str) -> int:
    """Read megabytes above zero; return bytes."""
    try:
        megabytes = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"megabytes are a number, was {text!r}") from error
    if not 0 < megabytes < float("inf"):
        raise argparse.ArgumentTypeError(f"megabytes must be above zero, was {text}")
    return int(megabytes * 2**20)


def read_speed(text: str) -> float | None:
    """Read a speed, None for ``manual``."""
    if text == "manual":
        return None
    try:
        speed = float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"speed is a number or manual, was {text!r}") from error
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"speed must be above zero, was {text}")
    return speed


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m simexchange",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--port", type=int, default=9443, help="0 takes a free one (default 9443)")
    add("--host", default=LOOPBACK, help="any other than 127.0.0.1 needs --i-know-it-is-exposed")
    add("--i-know-it-is-exposed", action="store_true", help="really listen on --host")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--data", type=Path, nargs="+", default=[], help="candle files or recordings"
    )
    source.add_argument(
        "--mirror",
        nargs="?",
        const=DEFAULT_URL,
        default="",
        metavar="URL",
        help="follow a real exchange's public streams (default Binance); needs the internet",
    )
    source.add_argument("--generate", action="store_true", help="generated prices (the default)")
    add("--mirror-streams", default="", help="address of the streams that belong to --mirror URL")
    add("--seed", type=int, default=7, help="the one seed of generated prices and ids")
    add("--speed", type=read_speed, default=1.0, help="exchange seconds per second, or manual")
    add("--symbols", default="", help="comma separated, e.g. BTCUSDT,ETHUSDT")
    add("--interval", default=None, help="which files to replay where several lie together")
    add("--regime", default="", help="generated: trend, range, crash, … or BTCUSDT=crash,…")
    add("--start-ms", type=int, default=None, help="generated: exchange time at the start")
    add("--history-days", type=float, default=None, help="generated: days before the start")
    add("--history-bars", type=int, default=2000, help="replay: candles served before the start")
    add("--balance", type=read_balances, default=read_balances("USDT=10000"), help="BTC=1,USDT=9")
    add("--fee-bps", type=read_fee, default=Decimal(10), help="maker and taker fee (default 10)")
    add("--state", type=Path, default=None, help="file that outlives the process")
    add("--sync-every", type=read_seconds, default=1.0, help="seconds; 0: with every record")
    add(
        "--compact-mb",
        type=read_megabytes,
        default=COMPACT_ABOVE,
        help="compact the --state file from so many megabytes on (default 64)",
    )
    add("--key", default="", help="API key; generated with prefix SIM when left out")
    add("--secret", default="", help="its secret")
    add("--clock", type=read_clock, default=None, help="ORIGIN_WALL_MS:ORIGIN_SIM_MS:SPEED")
    add("--weight-limit", type=int, default=WEIGHT_LIMIT, help="request weight per minute")
    add("--orders-limit", type=int, default=ORDERS_10S_LIMIT, help="unfilled orders per 10 s")
    return parser


def read_options(arguments: list[str]) -> Options:
    """Return the options; argparse exits with 2 on what makes no sense."""
    parser = build_parser()
    given = parser.parse_args(arguments)
    if given.host != LOOPBACK and not given.i_know_it_is_exposed:
        parser.error(f"--host {given.host} exposes the exchange: add --i-know-it-is-exposed")
    if bool(given.key) != bool(given.secret):
        parser.error("--key and --secret go together")
    speed = given.clock.speed if given.clock else given.speed
    market = MarketOptions(
        data=tuple(given.data),
        symbols=tuple(name.strip() for name in given.symbols.split(",") if name.strip()),
        seed=given.seed,
        speed=speed or 1.0,
        manual=speed is None,
        history_bars=given.history_bars,
        history_days=given.history_days,
        interval=given.interval,
        start_ms=given.start_ms,
        regime=given.regime,
        say=Progress().say,
        mirror=given.mirror,
        mirror_streams=given.mirror_streams,
    )
    return Options(
        market=market,
        host=given.host,
        port=given.port,
        balances=given.balance,
        fee_bps=given.fee_bps,
        state=given.state,
        sync_every_s=given.sync_every,
        key=given.key,
        secret=given.secret,
        compact_above=given.compact_mb,
        clock=given.clock,
        weight_limit=given.weight_limit,
        orders_limit=given.orders_limit,
    )


def open_listener(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    Raises:
        OSError: the port is taken or the address is not ours.
    """
    # With the protocol named, asyncio's own loop sends small replies at once, as uvloop does.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    return listener


class Progress:
    """Tells of what takes long, on stderr; what is over within a second says nothing."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def say(self, line: str) -> None:
        """Print a line once a second has gone by since the last."""
        if time.monotonic() - self._since >= 1.0:
            self._since = time.monotonic()
            sys.stderr.write(f"simexchange: {line}\n")
            sys.stderr.flush()


def complain(message: str) -> int:
    """Say why it does not start, in one line; return the exit code."""
    sys.stderr.write(f"simexchange: {message}\n")
    return 2


def main(arguments: list[str]) -> int:
    """Run until stopped; return the exit code."""
    options = read_options(arguments)
    try:
        listener = open_listener(options.host, options.port)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return complain(
            f"cannot listen on {options.host}:{options.port} ({reason}); choose another --port"
        )
    try:
        program = Program(options)
    except (ValueError, OSError) as error:
        listener.close()
        return complain(str(error))
    try:
        import uvloop
    except ImportError:
        runner = asyncio.Runner()
    else:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        runner.run(program.serve(listener))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
