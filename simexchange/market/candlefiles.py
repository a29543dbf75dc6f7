"""Candle files: CSV or CSV.gz with one closed candle per row, ascending."""

import csv
import gzip
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

from simexchange.market.intervals import INTERVAL_MS

FILE_NAME = re.compile(r"^(?P<symbol>[A-Z0-9]+)_(?P<interval>\d+[mhdwM])(_.*)?\.csv(\.gz)?$")
PRICES = ("open", "high", "low", "close")
NATIVE = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
WIRE_DECIMALS = 8


class FoundFile(NamedTuple):
    """A candle file and what its name says."""

    path: Path
    symbol: str
    interval: str


class FileRow(NamedTuple):
    """One candle as the file has it; columns the file lacks are None."""

    open_ms: int
    prices: tuple[Decimal, Decimal, Decimal, Decimal]
    volume: Decimal
    quote: Decimal | None
    trades: Decimal | None
    taker: Decimal | None
    taker_quote: Decimal | None


def find_files(paths: Iterable[Path]) -> list[FoundFile]:
    """Return the candle files among `paths` and in the folders among them, by name.

    Raises:
        ValueError: when a path is missing, a given file's name says no symbol, or none is found.
    """
    found = []
    for path in paths:
        if path.is_dir():
            named = ((child, FILE_NAME.match(child.name)) for child in sorted(path.iterdir()))
            found += [_found(child, match) for child, match in named if match]
        elif not path.exists():
            raise ValueError(f"no such candle file: {path}")
        elif match := FILE_NAME.match(path.name):
            found.append(_found(path, match))
        else:
            raise ValueError(f"a candle file is named SYMBOL_INTERVAL_….csv[.gz], was {path.name}")
    usable = [entry for entry in found if entry.interval in INTERVAL_MS]
    if not usable:
        raise ValueError("no candle files found; they are named SYMBOL_INTERVAL_….csv[.gz]")
    return usable


def _found(path: Path, match: re.Match[str]) -> FoundFile:
    return FoundFile(path, match["symbol"], match["interval"])


def choose_files(
    found: Sequence[FoundFile], *, symbols: Sequence[str], interval: str | None
) -> tuple[str, dict[str, list[Path]]]:
    """Return the interval to replay and each symbol's files.

    Without a wish it is the finest interval that all the symbols have.

    Raises:
        ValueError: when no interval has all symbols.
    """
    wanted = list(dict.fromkeys(symbols or [entry.symbol for entry in found]))
    by_interval: dict[str, dict[str, list[Path]]] = {}
    for entry in found:
        if entry.symbol in wanted:
            by_interval.setdefault(entry.interval, {}).setdefault(entry.symbol, []).append(
                entry.path
            )
    fits = [name for name, files in by_interval.items() if len(files) == len(wanted)]
    if interval is not None:
        fits = [name for name in fits if name == interval]
    if not fits:
        has = "; ".join(f"{name}: {', '.join(sorted(f))}" for name, f in by_interval.items())
        raise ValueError(f"no interval has candles of all of {', '.join(wanted)} (found {has})")
    chosen = min(fits, key=lambda name: INTERVAL_MS[name])
    return chosen, {symbol: by_interval[chosen][symbol] for symbol in wanted}


def read_rows(paths: Sequence[Path]) -> list[FileRow]:
    """Return the candles of one symbol's files, ascending; of a repeated one the first stands.

    Raises:
        ValueError: with file and line, when a row cannot be a candle.
    """
    rows: dict[int, FileRow] = {}
    for path in paths:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as stream:
            for number, record in enumerate(csv.DictReader(stream), start=2):
                try:
                    row = _parse(record)
                except (KeyError, TypeError, ValueError, InvalidOperation) as error:
                    raise ValueError(f"{path.name}, line {number}: not a candle") from error
                rows.setdefault(row.open_ms, row)
    return [rows[open_ms] for open_ms in sorted(rows)]


def _parse(record: dict[str, str]) -> FileRow:
    opened, high, low, close = (_decimal(record[name]) for name in PRICES)
    volume = _decimal(record["volume"])
    if not 0 < low <= min(opened, close) or high < max(opened, close) or volume < 0:
        raise ValueError("prices out of order")
    native = (_decimal(record[name]) if record.get(name) else None for name in NATIVE)
    return FileRow(int(record["open_time"]), (opened, high, low, close), volume, *native)


def _decimal(text: str) -> Decimal:
    return round(Decimal(text), WIRE_DECIMALS)


def places(values: Iterable[Decimal]) -> int:
    """Return the most decimal places among values, trailing zeros aside."""
    most = 0
    for value in values:
        exponent = value.normalize().as_tuple().exponent
        if isinstance(exponent, int):
            most = max(most, -exponent)
    return most
