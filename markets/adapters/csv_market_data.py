"""Candles from files: comma-separated, plain, gzipped or zipped.

Two forms are understood. With a header its names decide: ``open_time, open, high, low, close,
volume`` and, where the source had them, ``quote_volume, trades (count), taker_buy_base
(taker_buy_volume), taker_buy_quote (taker_buy_quote_volume)``. Without one the columns are those
of Binance's public archive. Times are milliseconds, or microseconds as the archive has since 2025.
"""

import csv
import gzip
import io
import zipfile
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from core.errors import InvalidInput
from markets.domain.candle import DECIMAL_FIELDS, OPTIONAL_FIELDS, ROW_FIELDS, Row, check_row, trim
from markets.domain.timeframe import Timeframe
from markets.domain.windows import FLOAT_FIELDS, Window, window_of

_FIELDS = ROW_FIELDS[1:]
_ALIASES = {
    "open_time": "open_time_ms",
    "count": "trades",
    "taker_buy_volume": "taker_buy_base",
    "taker_buy_quote_volume": "taker_buy_quote",
}
_ARCHIVE = (*_FIELDS[:6], "close_time", *_FIELDS[6:], "ignore")
# Where FLOAT_FIELDS are in a row without its leading instrument id.
_FLOAT_PLACES = tuple(_FIELDS.index(name) for name in FLOAT_FIELDS)
_LATEST_MS = 10_000_000_000_000  # from here on a time must be in microseconds


class CsvMarketData:
    """The candles of one symbol and timeframe in one or more files, held in memory."""

    def __init__(self, paths: Sequence[Path], *, timeframe: Timeframe) -> None:
        self._timeframe = timeframe
        rows: dict[int, Row] = {}
        for path in paths:
            rows.update((row[0], row) for row in read_candles(path, timeframe=timeframe))
        self._times = sorted(rows)
        self._rows = [rows[open_time_ms] for open_time_ms in self._times]

    @property
    def span_ms(self) -> tuple[int, int] | None:
        """First open time and end of the last candle; None without candles."""
        if not self._times:
            return None
        return self._times[0], self._times[-1] + self._timeframe.ms

    def klines(
        self, *, symbol: str, timeframe: Timeframe, start_ms: int, end_ms: int, limit: int
    ) -> Sequence[Row]:
        """Return the oldest candles that open in [start_ms, end_ms), ascending."""
        if timeframe is not self._timeframe:
            raise InvalidInput(
                f"The files hold {self._timeframe.value} candles of one symbol,"
                f" asked for {symbol} {timeframe.value}",
                field="interval",
                value=timeframe.value,
            )
        first = bisect_left(self._times, start_ms)
        last = bisect_left(self._times, end_ms)
        return self._rows[first : min(last, first + limit)]


def read_candles(path: Path, *, timeframe: Timeframe) -> Iterator[Row]:
    """Yield the candles of a file as rows without the leading instrument id.

    Raises:
        InvalidInput: the file cannot be read, or a line is no candle: names file, line, field,
            what was found and what should be there.
    """
    try:
        with _open(path) as stream:
            reader = csv.reader(stream)
            columns: tuple[str, ...] | None = None
            for cells in reader:
                if not cells:
                    continue
                if columns is None:
                    columns, is_header = _columns_of(cells, path)
                    if is_header:
                        continue
                yield _row_of(
                    cells, columns, timeframe, where=f"{path.name} line {reader.line_num}"
                )
    except (OSError, EOFError, UnicodeDecodeError, zipfile.BadZipFile, csv.Error) as error:
        raise InvalidInput(
            f"{path} cannot be read as candles: {error}. Expected is a .csv, .csv.gz or .zip file",
            field="file",
            value=str(path),
        ) from error


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    if path.suffix == ".zip":
        archive = zipfile.ZipFile(path)
        names = [name for name in archive.namelist() if name.endswith(".csv")]
        if len(names) != 1:
            raise InvalidInput(
                f"{path} must hold one .csv file, holds {len(names)}", field="file", value=str(path)
            )
        return io.TextIOWrapper(archive.open(names[0]), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _columns_of(cells: Sequence[str], path: Path) -> tuple[tuple[str, ...], bool]:
    if cells[0].strip().isdigit():
        return _ARCHIVE[: len(cells)], False
    names = tuple(_ALIASES.get(cell.strip().lower(), cell.strip().lower()) for cell in cells)
    missing = [name for name in _FIELDS if name not in names and name not in OPTIONAL_FIELDS]
    if missing:
        raise InvalidInput(
            f"{path.name} line 1: column {missing[0].removesuffix('_ms')} is missing,"
            f" found {', '.join(cells)}",
            field=missing[0],
            value=", ".join(cells),
        )
    return names, True


def _row_of(
    cells: Sequence[str], columns: Sequence[str], timeframe: Timeframe, *, where: str
) -> Row:
    if len(cells) != len(columns):
        _refuse(where, "line", ",".join(cells), f"{len(columns)} values")
    values = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
    row: list[object] = [_time_ms(values["open_time_ms"], where)]
    for name in _FIELDS[1:]:
        text = values.get(name, "")
        if not text and name in OPTIONAL_FIELDS:
            row.append(None)
        elif name in DECIMAL_FIELDS:
            row.append(trim(text))
        elif text.isascii() and text.isdigit():
            row.append(int(text))
        else:
            _refuse(where, name, text, "a whole number")
    try:
        check_row([0, *row], timeframe=timeframe)
    except InvalidInput as error:
        _refuse(
            where,
            str(error.context.get("field", "")),
            error.context.get("value"),
            str(error.context.get("expected", "")),
        )
    return row


def _time_ms(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit()):
        _refuse(where, "open_time", text, "milliseconds since 1970")
    time = int(text)
    if time < _LATEST_MS:
        return time
    if time % 1000:
        _refuse(where, "open_time", text, "a whole number of milliseconds")
    return time // 1000


def _refuse(where: str, field: str, found: object, expected: str) -> NoReturn:
    field = field.removesuffix("_ms")
    raise InvalidInput(
        f"{where}: {field} must be {expected}, was {found!r}",
        field=field,
        value=str(found),
        where=where,
    )


def read_window(paths: Sequence[Path], *, timeframe: Timeframe) -> Window:
    """Return the candles of one symbol as arrays, ascending; of equal times the last one counts.

    Rows are converted as they are read, so that a million candles need 64 MB and no more.

    Raises:
        InvalidInput: As ``read_candles``, or there is no candle at all.
    """
    times = array("q")
    columns = [array("d") for _ in FLOAT_FIELDS]
    nan = float("nan")
    for path in paths:
        for row in read_candles(path, timeframe=timeframe):
            times.append(row[0])
            for column, place in zip(columns, _FLOAT_PLACES, strict=True):
                value = row[place]
                column.append(nan if value is None else float(value))
    if not times:
        names = ", ".join(path.name for path in paths)
        raise InvalidInput(f"There are no candles in {names}", field="file", value=names)
    stamps = np.array(times, dtype=np.int64)
    # Of equal times the last one read is the first one of the reversed array.
    kept, places = np.unique(stamps[::-1], return_index=True)
    chosen = len(stamps) - 1 - places
    return window_of(kept, np.array([np.frombuffer(column)[chosen] for column in columns]))
