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
LARGEST = 2**63 - 1

if TYPE_CHECKING:
    from numpy.typing import NDArray

    IntArray = array[int]


class FoundFile(NamedTuple):
    """A candle file and what its name says."""

    path: Path
    symbol: str
    interval: str


class FileColumns:
    """Candles of files, ascending: open times, and numbers as 64-bit integers of small units.

    Args:
        open_ms: shape (n,).
        numbers: shape (n, 9), in the order of `PRICES`, volume, `NATIVE`.
        decimals: of each column's unit; 8 unless its numbers are too large for that.
        missing: native columns that some row lacks.
    """

    def __init__(
        self, open_ms: Ints, numbers: Ints, decimals: Sequence[int], missing: frozenset[str]
    ) -> None:
        self.open_ms = open_ms
        self.missing = [name for name in NATIVE if name in missing]
        self._numbers = numbers
        self._decimals = decimals

    def __len__(self) -> int:
        return len(self.open_ms)

    def units(self, name: str, decimals: int) -> Ints:
        """Return a column in units of 10**-decimals, rounded half up, shape (n,).

        Raises:
            ValueError: when a number needs more than 64 bits then.
        """
        place = NUMBERS.index(name)
        column, spare = self._numbers[:, place], self._decimals[place] - decimals
        unit = 10 ** abs(spare)
        if spare >= 0:
            rounded: Ints = column // unit + (column % unit >= (unit + 1) // 2)
            return rounded
        if len(column) and int(column.max()) > LARGEST // unit:
            raise ValueError(f"{name} is too large for its {decimals} decimals")
        finer: Ints = column * unit
        return finer

    def floats(self, name: str) -> "NDArray[np.float64]":
        """Return a column as floating point numbers, shape (n,)."""
        place = NUMBERS.index(name)
        return self._numbers[:, place] / 10.0 ** self._decimals[place]

    def places(self, *names: str) -> int:
        """Return the most decimal places in these columns, trailing zeros aside."""
        found = [NUMBERS.index(name) for name in names]
        return max(_places(self._numbers[:, one], self._decimals[one]) for one in found)


class _Table:
    """Numbers of files, row by row. Fast while they fit into 64 bits in units of 1e-8."""

    def __init__(self) -> None:
        self.times: IntArray = array("q")
        self.missing: set[str] = set()
        self.decimals = [WIRE_DECIMALS] * len(NUMBERS)
        self._numbers: IntArray = array("q")
        self._is_coarse = False

    def add(self, open_ms: int, row: list[int]) -> None:
        """Append a candle, its numbers in units of 1e-8.

        Raises:
            OverflowError: a number does not fit into 64 bits, even without its trailing zeros.
        """
        if self._is_coarse:
            self._fit(row)
        size = len(self._numbers)
        try:
            self._numbers.extend(row)
        except OverflowError:
            del self._numbers[size:]
            self._coarsen(row)
            self._numbers.extend(row)
        self.times.append(open_ms)

    def _fit(self, row: list[int]) -> None:
        for place, decimals in enumerate(self.decimals):
            if decimals < WIRE_DECIMALS:
                unit = 10 ** (WIRE_DECIMALS - decimals)
                if row[place] % unit:
                    raise OverflowError(f"{NUMBERS[place]} has too many digits")
                row[place] //= unit

    def _coarsen(self, row: list[int]) -> None:
        """Keep columns that have grown too large without trailing zeros that all of them have."""
        self._is_coarse = True
        whole = np.array(self._numbers, dtype=np.int64).reshape(-1, len(NUMBERS))
        for place, number in enumerate(row):
            if number <= LARGEST:
                continue
            dropped = self._zeros(whole[:, place], number, self.decimals[place])
            if number // 10**dropped > LARGEST:
                raise OverflowError(f"{NUMBERS[place]} has too many digits")
            whole[:, place] //= 10**dropped
            row[place] //= 10**dropped
            self.decimals[place] -= dropped
        self._numbers = array("q", whole.tobytes())

    @staticmethod
    def _zeros(column: Ints, number: int, decimals: int) -> int:
        """Return how many decimals are zero in all of a column and in a number."""
        for dropped in range(decimals, 0, -1):
            if number % 10**dropped == 0 and not np.any(column % 10**dropped):
                return dropped
        return 0

    def columns(self) -> FileColumns:
        """Return the candles ascending; of a repeated one the first stands."""
        # The memory is shared, not copied: a year of minutes takes forty megabytes.
        open_ms = np.frombuffer(self.times or array("q"), dtype=np.int64, count=len(self.times))
        flat = np.frombuffer(self._numbers, dtype=np.int64, count=len(self._numbers))
        numbers = flat.reshape(-1, len(NUMBERS))
        if bool(np.any(np.diff(open_ms) <= 0)):
            open_ms, places_of = np.unique(open_ms, return_index=True)
            numbers = numbers[places_of]
        return FileColumns(open_ms, numbers, self.decimals, frozenset(self.missing))


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
    table = _Table()
    for path in paths:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", newline="") as stream:
            _read_file(path, csv.reader(stream), table)
    return table.columns()


def _read_file(path: Path, reader: Iterator[list[str]], table: _Table) -> None:
    """Append a file's rows; what a native column lacks is written as zero."""
    header = next(reader, [])
    lacks = [name for name in ("open_time", *PRICES, "volume") if name not in header]
    if lacks:
        raise ValueError(f"{path.name}, line 1: no column {', '.join(lacks)}")
    time_place = header.index("open_time")
    at = [header.index(name) if name in header else -1 for name in NUMBERS]
    optional = len(NUMBERS) - len(NATIVE)
    table.missing.update(name for name, place in zip(NUMBERS, at, strict=True) if place < 0)
    for number, record in enumerate(reader, start=2):
        if not record:
            continue
        try:
            row = [to_units(record[p]) if p >= 0 and record[p] else -1 for p in at]
            opened, high, low, close, volume = row[:optional]
            if not 0 < low <= min(opened, close) or high < max(opened, close) or volume < 0:
                raise ValueError("prices out of order")
            open_ms = int(record[time_place])
        except (IndexError, ValueError) as error:
            raise ValueError(f"{path.name}, line {number}: not a candle") from error
        for place in range(optional, len(row)):
            if row[place] < 0:
                table.missing.add(NUMBERS[place])
                row[place] = 0
        try:
            table.add(open_ms, row)
        except OverflowError as error:
            raise ValueError(
                f"{path.name}, line {number}: {error}; what 64 bits hold is taken, "
                f"{LARGEST} units of the finest decimal place in the column"
            ) from error


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


def _places(units: Ints, unit_decimals: int) -> int:
    """Return the most decimal places among integers of 10**-unit_decimals, zeros aside."""
    for decimals in range(unit_decimals):
        if not np.any(units % 10 ** (unit_decimals - decimals)):
            return decimals
    return unit_decimals
