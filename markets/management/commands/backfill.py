"""``manage.py backfill``: load history from the exchange or from files."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from core.clock import from_ms, get_clock
from core.errors import InvalidInput, NotFound, TradingError
from core.management.plain_help import PlainHelpCommand
from markets.adapters.csv_market_data import CsvMarketData
from markets.adapters.factory import get_market_data
from markets.domain.timeframe import Timeframe
from markets.selectors import get_rules_by_symbol
from markets.services.backfill import BackfillResult, backfill
from markets.services.instruments import sync_instruments

# Between two lines of progress in a log.
_LINE_EVERY_S = 2.0
_EXAMPLES = """
examples:
  manage.py backfill --symbol BTCUSDT --interval 1h --start 2024-01-01
  manage.py backfill --symbol BTCUSDT --interval 1h --source csv --file BTCUSDT_1h.csv.gz
  manage.py backfill --symbol BTCUSDT --interval 1m --source archive \\
      --file BTCUSDT-1m-2024-01.zip --file BTCUSDT-1m-2024-02.zip

`archive` reads files of Binance's public archive that were downloaded before; nothing is
downloaded. Interrupted, the command goes on where it stopped when it is run again.
"""


class Command(PlainHelpCommand):
    """Loads candles; only what is missing is fetched."""

    help = "Load candles: resumable, idempotent, fetches only gaps."
    epilog = _EXAMPLES

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbol", required=True, help="such as BTCUSDT")
        parser.add_argument("--interval", required=True, choices=[item.value for item in Timeframe])
        parser.add_argument(
            "--start",
            help="first open time, UTC: 2024-01-01 or 2024-01-01T06:00; "
            "needed with --source exchange",
        )
        parser.add_argument("--end", help="first open time left out, UTC; default: now")
        parser.add_argument("--source", choices=["exchange", "csv", "archive"], default="exchange")
        parser.add_argument(
            "--file", action="append", default=[], help=".csv, .csv.gz or .zip; may be repeated"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = self._run(options)
        except TradingError as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            raise CommandError(
                "Interrupted. What was fetched is stored; run the same command to go on.",
                returncode=130,
            ) from None
        stored = result.stored
        self.stdout.write(
            f"{options['symbol'].upper()} {options['interval']}: {stored.new} new,"
            f" {stored.revised} revised, {stored.unchanged} unchanged,"
            f" {result.missing} missing at the source, {result.requests} requests"
        )

    def _run(self, options: dict[str, Any]) -> BackfillResult:
        timeframe = Timeframe(options["interval"])
        now = get_clock().now()
        start = _moment(options["start"], "--start")
        end = _moment(options["end"], "--end") or now
        is_exchange = options["source"] == "exchange"
        if is_exchange:
            if start is None or options["file"]:
                raise InvalidInput("--source exchange needs --start and takes no --file")
            source: Any = get_market_data()
        else:
            source = _files(options["file"], timeframe)
            start = start or from_ms(source.span_ms[0])
            if options["end"] is None:
                end = min(end, from_ms(source.span_ms[1]))
        instrument_id = _instrument_id(options["symbol"].upper(), now)
        with _Progress(self.stderr, options["symbol"].upper()) as progress:
            return backfill(
                source=source,
                instrument_id=instrument_id,
                timeframe=timeframe,
                start=start,
                end=end,
                now=now,
                is_exchange=is_exchange,
                progress=progress.show,
            )


def _instrument_id(symbol: str, now: datetime) -> int:
    try:
        return get_rules_by_symbol(symbol).instrument_id
    except NotFound:
        return sync_instruments(market_data=get_market_data(), symbols=[symbol], now=now)[0]


def _files(names: list[str], timeframe: Timeframe) -> CsvMarketData:
    if not names:
        raise InvalidInput("--source csv and --source archive need --file")
    source = CsvMarketData([Path(name) for name in names], timeframe=timeframe)
    if source.span_ms is None:
        raise InvalidInput(f"There are no candles in {', '.join(names)}")
    return source


def _moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            f"{option} must be a date or time such as 2024-01-01 or 2024-01-01T06:00, was {text!r}"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class _Progress:
    """A bar on a terminal; elsewhere a plain line at the end and every few seconds before it."""

    def __init__(self, stream: Any, label: str) -> None:
        self._stream = stream
        self._label = label
        self._bar: Any = None
        self._told_at = time.monotonic()
        self._is_done = False

    def __enter__(self) -> "_Progress":
        if sys.stderr.isatty():
            self._bar = tqdm(desc=self._label, unit=" candles", total=0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int) -> None:
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._bar.n)
        elif total and not self._is_done and (done >= total or self._is_due()):
            self._told_at = time.monotonic()
            self._is_done = done >= total
            self._stream.write(f"{self._label}: {100 * done // total} % of {total} candles")

    def _is_due(self) -> bool:
        return time.monotonic() - self._told_at >= _LINE_EVERY_S
