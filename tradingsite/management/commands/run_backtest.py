"""``manage.py run_backtest``: replay candles through the live decision path and judge it."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from core.clock import get_clock
from core.errors import InvalidInput, TradingError
from core.management.plain_help import PlainHelpCommand
from core.progress import Bar
from execution.backtest.parts import MODEL
from execution.backtest.request import (
    LIVE,
    REGISTRY,
    SOURCES,
    BacktestRequest,
    parse_request,
)
from execution.backtest.run import Backtest, run_backtest
from execution.backtest.series import Series
from execution.services import backtests
from execution.services.replays import check_candles, run_stored
from execution.services.tear_sheets import list_tiles, render_tear_sheet
from markets.adapters.csv_market_data import read_window
from markets.domain.instrument import InstrumentRules
from markets.domain.timeframe import Timeframe
from markets.domain.windows import Window
from markets.selectors import list_subscriptions
from risk.domain.limits import RiskLimits
from tradingsite.replaying import give_models

_EXAMPLES = """
examples:
  manage.py run_backtest
  manage.py run_backtest --symbol BTCUSDT --interval 1h --start 2024-01-01 --end 2024-12-31
  manage.py run_backtest --symbol BTCUSDT --symbol ETHUSDT --interval 1h --set min_edge_bps=10
  manage.py run_backtest --strategy ema_rsi --symbol BTCUSDT --interval 5m --detail 1m
  manage.py run_backtest --strategy model+ema_rsi --set ema_rsi.base_position_size=500
  manage.py run_backtest --source csv --file BTCUSDT=BTCUSDT_1h.csv.gz --interval 1h

Without options the subscribed symbols are replayed over all their candles with the model strategy.
The first line says what may be said of the result; a tear sheet (HTML) and its figures (JSON) are
written beside each other. With --source csv no database is read or written.
"""


class Command(PlainHelpCommand):
    """Runs a backtest."""

    help = "Replay past candles through the live decision, sizing, risk and protection code."
    requires_system_checks = ()
    epilog = _EXAMPLES

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--symbol", action="append", default=[], help="such as BTCUSDT; may be repeated")
        add("--interval", choices=[frame.value for frame in Timeframe])
        add("--start", help="first close to decide on, UTC: 2024-01-01; default: all candles")
        add("--end", help="leave out candles that close later, UTC")
        add("--source", choices=["db", "csv"], default="db")
        add("--file", action="append", default=[], help="SYMBOL=PATH of candles; may be repeated")
        add("--detail", choices=[frame.value for frame in Timeframe], help="finer candles")
        add("--detail-file", action="append", default=[], help="SYMBOL=PATH of finer candles")
        add("--strategy", default=MODEL, help="one, or several on one account: model+ema_rsi")
        add("--set", action="append", default=[], metavar="NAME=NUMBER", dest="given")
        add(
            "--models", choices=SOURCES, default=LIVE, help="retrained as live; by interval; as was"
        )
        add("--cash", default="100000", help="quote units")
        add("--fee-bps", default="10")
        add("--spread-bps", default="1", help="half the spread")
        add("--slippage-bps", default="0")
        add("--impact", default="0.1", help="of the square-root law; 0: none")
        add("--participation", default="0.1", help="most of a candle's volume; none: no bound")
        add("--latency-ms", default="250")
        add("--quick", action="store_true", help="leave out other costs and shaken parameters")
        add("--workers", type=int, default=_processors(), help="processes to train in")
        add("--out", help="folder of the report; default: DATA_DIR/backtests")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            request = _request(options)
            report = self._run(request, options)
        except TradingError as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            raise CommandError("Interrupted; nothing was written.", returncode=130) from None
        self.stdout.write(report["verdict"]["text"])
        for tile in list_tiles(report["summary"]):
            self.stdout.write(f"  {tile['name']:<16} {tile['figure']:>14}   {tile['note']}")
        for name, path in _write(report, request, options["out"]).items():
            self.stdout.write(f"{name}: {path}")

    def _run(self, request: BacktestRequest, options: Mapping[str, Any]) -> dict[str, Any]:
        train = partial(give_models, workers=options["workers"])
        with Bar(label="backtest") as bar:
            if options["source"] == "csv":
                backtest = Backtest(
                    request=request,
                    series=_read_files(request, options, bar),
                    limits=RiskLimits(),
                    is_thorough=not options["quick"],
                )
                alone = partial(train, has_database=False)
                return run_backtest(backtest, train=alone, progress=bar.show)[0]
            now = get_clock().now()
            row = backtests.create_backtest(request=request, actor="run_backtest", now=now)
            backtests.begin_backtest(backtest_id=row.pk, now=now)
            try:
                report, _ = run_stored(
                    request,
                    train=train,
                    progress=bar.show,
                    is_thorough=not options["quick"],
                )
            except BaseException as error:
                why = getattr(error, "message", repr(error))
                backtests.fail_backtest(backtest_id=row.pk, why=why, now=get_clock().now())
                raise
            backtests.finish_backtest(backtest_id=row.pk, report=report, now=get_clock().now())
            return report


def _processors() -> int:
    return max(1, min(8, os.cpu_count() or 1))


def _request(options: Mapping[str, Any]) -> BacktestRequest:
    """Return what the options ask for, as the API would read it."""
    files = _named(options["file"], "--file")
    if bool(files) != (options["source"] == "csv"):
        raise InvalidInput("--source csv and --file belong together", field="source")
    symbols = [symbol.upper() for symbol in options["symbol"]] or sorted(files)
    interval = options["interval"]
    if not symbols:
        symbols, interval = _subscribed(interval)
    if interval is None:
        raise InvalidInput("--interval is needed, such as 1h", field="interval")
    missing = [symbol for symbol in symbols if files and symbol not in files]
    if missing:
        raise InvalidInput(f"--file {missing[0]}=PATH is missing", field="file")
    if files and options["models"] == REGISTRY:
        raise InvalidInput("--models registry needs --source db", field="models")
    share = options["participation"]
    return parse_request(
        {
            "symbols": symbols,
            "interval": interval,
            "start": options["start"],
            "end": options["end"],
            "detail": options["detail"],
            "strategy": options["strategy"],
            "parameters": _numbers(options["given"]),
            "models": options["models"],
            "cash": options["cash"],
            "fee_bps": options["fee_bps"],
            "half_spread_bps": options["spread_bps"],
            "slippage_bps": options["slippage_bps"],
            "impact": options["impact"],
            "participation": None if share == "none" else share,
            "latency_ms": options["latency_ms"],
        }
    )


def _subscribed(interval: str | None) -> tuple[list[str], str | None]:
    rows = list_subscriptions(timeframe=None if interval is None else Timeframe(interval))
    if not rows:
        raise InvalidInput("Nothing is subscribed: name --symbol and --interval", field="symbol")
    frame = min((row.timeframe for row in rows), key=lambda item: item.ms)
    return sorted(row.symbol for row in rows if row.timeframe is frame), frame.value


def _named(texts: Sequence[str], option: str) -> dict[str, Path]:
    found = {}
    for text in texts:
        symbol, sign, path = text.partition("=")
        if not sign or not path:
            raise InvalidInput(f"{option} must be SYMBOL=PATH, was {text!r}", field=option)
        found[symbol.upper()] = Path(path)
    return found


def _numbers(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, number = text.partition("=")
        if not sign:
            raise InvalidInput(f"--set must be NAME=NUMBER, was {text!r}", field="set")
        found[name.strip()] = number.strip()
    return found


def _read_files(request: BacktestRequest, options: Mapping[str, Any], bar: Bar) -> list[Series]:
    files = _named(options["file"], "--file")
    finer = _named(options["detail_file"], "--detail-file")
    found = []
    for number, symbol in enumerate(request.symbols, start=1):
        bar.show(number - 1, len(request.symbols), f"reading {symbol}")
        candles = read_window([files[symbol]], timeframe=request.interval)
        detail = None
        if request.detail is not None and symbol in finer:
            detail = read_window([finer[symbol]], timeframe=request.detail)
        check_candles(candles, symbol=symbol, timeframe=request.interval, request=request)
        found.append(
            Series(
                rules=rules_from(symbol, candles, instrument_id=number),
                timeframe=request.interval,
                candles=_until(candles, request),
                detail=detail,
                detail_timeframe=None if detail is None else request.detail,
            )
        )
    return found


def _until(candles: Window, request: BacktestRequest) -> Window:
    if request.end is None:
        return candles
    last = int(request.end.timestamp() * 1000) - request.interval.ms
    count = int(candles.open_time_ms.searchsorted(last, side="right"))
    return Window(**{name: getattr(candles, name)[:count] for name in Window.__slots__})


def rules_from(symbol: str, candles: Window, *, instrument_id: int) -> InstrumentRules:
    """Return rules for a symbol whose exchange is not asked: grids as its prices suggest.

    The tick is the finest step that the first prices show; a step of the quantity is worth at most
    a tenth of a quote unit; an order is worth 5 at least.
    """
    shown = [repr(price).partition(".")[2] for price in candles.close[:1000].tolist()]
    digits = min(8, max(len(text) if text != "0" else 0 for text in shown))
    step = -math.floor(math.log10(0.1 / float(candles.close[0])))
    quote = next((q for q in ("USDT", "USDC", "BUSD", "EUR", "BTC") if symbol.endswith(q)), "USDT")
    return InstrumentRules(
        instrument_id=instrument_id,
        symbol=symbol,
        base_asset=symbol.removesuffix(quote) or symbol,
        quote_asset=quote,
        status="TRADING",
        tick_size=Decimal(1).scaleb(-digits),
        step_size=Decimal(1).scaleb(-min(8, max(0, step))),
        min_notional=Decimal(5),
    )


def _write(
    report: Mapping[str, Any], request: BacktestRequest, folder: str | None
) -> dict[str, Path]:
    """Write tear sheet and figures beside each other; return where."""
    target = Path(folder) if folder else Path(settings.DATA_DIR) / "backtests"
    target.mkdir(parents=True, exist_ok=True)
    symbols = "-".join(request.symbols[:3]) + ("-more" if len(request.symbols) > 3 else "")
    named = "-".join(part.name for part in request.parts)
    stem = f"{named}_{symbols}_{request.interval.value}"
    sheet, figures = target / f"{stem}.html", target / f"{stem}.json"
    sheet.write_text(render_tear_sheet(report), encoding="utf-8")
    figures.write_text(json.dumps(report, indent=1, allow_nan=False), encoding="utf-8")
    return {"tear sheet": sheet, "figures": figures}
