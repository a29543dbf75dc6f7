"""Candle files: CSV or CSV.gz with one closed candle per row, ascending."""

import csv
import gzip
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simexchange.market.bars import Ints
from simexchange.market.intervals import INTERVAL_MS

FILE_NAME = re.compile(r"^(?P<symbol>[A-Z0-9]+)_(?P<interval>\d+[smhdwM])(_.*)?\.csv(\.gz)?$")
PRICES = ("open", "high", "low", "close")
NATIVE = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
NUMBERS = (*PRICES, "volume", *NATIVE)
WIRE_DECIMALS = 8
WIRE_UNIT = 10**WIRE_DECIMALS

if TYPE_CHECKING:
    IntArray = array[int]


class FoundFile(NamedTuple):
    """A candle file and what its name says."""

    path: Path
    symbol: str
    interval: str


class FileColumns:
    """Candles of files, ascending: open times, and numbers as integers of 1e-8.

    Args:
        open_ms: shape (n,).
        numbers: shape (n, 9), in the order of `PRICES`, volume, `NATIVE`.
        missing: native columns that some row lacks.
    """

    def __init__(self, open_ms: Ints, numbers: Ints, missing: frozenset[str]) -> None:
        self.open_ms = open_ms
        self.missing = [name for name in NATIVE if name in missing]
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self.open_ms)

    def column(self, *names: str) -> Ints:
        """Return one column, shape (n,), or several one after the other."""
        columns = [self._numbers[:, NUMBERS.index(name)] for name in names]
        return columns[0] if len(columns) == 1 else np.concatenate(columns)


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


def read_columns(paths: Sequence[Path]) -> FileColumns:
    """Return the candles of one symbol's files, ascending; of a repeated one the first stands.

    Raises:
        ValueError: with file and line, when a row cannot be a candle.
    """
    times: IntArray = array("q")
    numbers: IntArray = array("q")
    missing: set[str] = set()
    for path in paths:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as stream:
            _read_file(path, csv.reader(stream), times, numbers, missing)
    open_ms = np.frombuffer(times, dtype=np.int64) if times else np.zeros(0, dtype=np.int64)
    table = np.frombuffer(numbers, dtype=np.int64) if numbers else np.zeros(0, dtype=np.int64)
    table = table.reshape(-1, len(NUMBERS))
    if bool(np.any(np.diff(open_ms) <= 0)):
        open_ms, places_of = np.unique(open_ms, return_index=True)
        table = table[places_of]
    return FileColumns(open_ms, table, frozenset(missing))


def _read_file(
    path: Path,
    reader: Iterator[list[str]],
    times: "IntArray",
    numbers: "IntArray",
    missing: set[str],
) -> None:
    """Append a file's rows; what a native column lacks is written as zero."""
    header = next(reader, [])
    lacks = [name for name in ("open_time", *PRICES, "volume") if name not in header]
    if lacks:
        raise ValueError(f"{path.name}, line 1: no column {', '.join(lacks)}")
    time_place = header.index("open_time")
    at = [header.index(name) if name in header else -1 for name in NUMBERS]
    optional = len(NUMBERS) - len(NATIVE)
    missing.update(name for name, place in zip(NUMBERS, at, strict=True) if place < 0)
    for number, record in enumerate(reader, start=2):
        if not record:
            continue
        try:
            row = [to_units(record[p]) if p >= 0 and record[p] else -1 for p in at]
            opened, high, low, close, volume = row[:optional]
            if not 0 < low <= min(opened, close) or high < max(opened, close) or volume < 0:
                raise ValueError("prices out of order")
            times.append(int(record[time_place]))
        except (IndexError, ValueError, OverflowError) as error:
            raise ValueError(f"{path.name}, line {number}: not a candle") from error
        for place in range(optional, len(row)):
            if row[place] < 0:
                missing.add(NUMBERS[place])
                row[place] = 0
        numbers.extend(row)


def to_units(text: str) -> int:
    """Return a plain decimal number as an integer of 1e-8, rounding what is finer.

    Raises:
        ValueError: when it is not a number at or above zero.
    """
    whole, _, part = text.partition(".")
    if len(part) <= WIRE_DECIMALS and whole.isdecimal() and (not part or part.isdecimal()):
        return int(whole + part.ljust(WIRE_DECIMALS, "0"))
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"not a number: {text!r}") from error
    if not number.is_finite() or number < 0:
        raise ValueError(f"not at or above zero: {text!r}")
    return int(round(number, WIRE_DECIMALS).scaleb(WIRE_DECIMALS))


def places(units: Ints) -> int:
    """Return the most decimal places among integers of 1e-8, trailing zeros aside."""
    for decimals in range(WIRE_DECIMALS):
        if not np.any(units % 10 ** (WIRE_DECIMALS - decimals)):
            return decimals
    return WIRE_DECIMALS
