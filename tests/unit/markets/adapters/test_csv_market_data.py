import gzip
import zipfile
from pathlib import Path

import pytest

from core.errors import InvalidInput
from markets.adapters.csv_market_data import CsvMarketData, read_candles
from markets.domain.timeframe import Timeframe

HOUR = 3_600_000
START = 1_730_073_600_000
HEADER = "open_time,open,high,low,close,volume\n"
LINE = f"{START},10.50000000,11,10,10.75,3\n"
ARCHIVE_LINE = f"{START},10.5,11,10,10.75,3,{START + HOUR - 1},32,12,1.5,16,0\n"


def test_it_reads_our_own_form_with_and_without_the_rarer_columns(tmp_path: Path) -> None:
    short = tmp_path / "short.csv"
    short.write_text(HEADER + LINE)
    full = tmp_path / "full.csv.gz"
    names = HEADER.strip() + ",quote_volume,trades,taker_buy_base,taker_buy_quote\n"
    full.write_bytes(gzip.compress((names + LINE.strip() + ",32,12,1.5,16\n").encode()))

    base = [START, "10.5", "11", "10", "10.75", "3"]
    assert list(read_candles(short, timeframe=Timeframe.H1)) == [[*base, None, None, None, None]]
    assert list(read_candles(full, timeframe=Timeframe.H1)) == [[*base, "32", 12, "1.5", "16"]]


@pytest.mark.parametrize("scale", [1, 1000])
def test_it_reads_the_public_archive_in_both_of_its_time_units(tmp_path: Path, scale: int) -> None:
    path = tmp_path / "BTCUSDT-1h.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BTCUSDT-1h.csv", ARCHIVE_LINE.replace(str(START), str(START * scale), 1))

    assert list(read_candles(path, timeframe=Timeframe.H1)) == [
        [START, "10.5", "11", "10", "10.75", "3", "32", 12, "1.5", "16"]
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + LINE + f"{START + HOUR},x,11,10,10.75,3\n", "bad.csv line 3: open must be"),
        (HEADER + f"{START},10.5,11,10,12,3\n", "line 2: close must be a price between"),
        (HEADER + f"{START},10.5,11\n", "line 2: line must be 6 values"),
        (HEADER + f"{START + 5},10.5,11,10,10.75,3\n", "line 2: open_time must be a multiple of"),
        (HEADER + "2024-01-01,10.5,11,10,10.75,3\n", "line 2: open_time must be milliseconds"),
        ("time,open,high\n" + LINE, "line 1: column open_time is missing"),
        (HEADER + f"{START},10.5,11,10,10.75,\n", "line 2: volume must be a plain number"),
    ],
)
def test_it_names_file_line_field_and_value(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)

    with pytest.raises(InvalidInput) as raised:
        list(read_candles(path, timeframe=Timeframe.H1))

    assert message in raised.value.message


@pytest.mark.parametrize("name", ["none.csv", "torn.csv.gz", "torn.zip", "binary.csv"])
def test_it_says_when_a_file_is_no_candle_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "torn.csv.gz":
        path.write_bytes(gzip.compress((HEADER + LINE * 100).encode())[:-20])
    elif name != "none.csv":
        path.write_bytes(b"\xff\xfe\x00\x80")

    with pytest.raises(InvalidInput, match=r"cannot be read as candles"):
        list(read_candles(path, timeframe=Timeframe.H1))


def test_it_answers_like_an_exchange(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    hours = [5, 1, 2, 3]
    path.write_text(HEADER + "".join(f"{START + h * HOUR},10,11,10,10,1\n" for h in hours))
    source = CsvMarketData([path], timeframe=Timeframe.H1)

    def asked(start: int, end: int, limit: int) -> list[int]:
        rows = source.klines(
            symbol="BTCUSDT",
            timeframe=Timeframe.H1,
            start_ms=START + start * HOUR,
            end_ms=START + end * HOUR,
            limit=limit,
        )
        return [(row[0] - START) // HOUR for row in rows]

    assert source.span_ms == (START + HOUR, START + 6 * HOUR)
    assert asked(0, 9, 1000) == [1, 2, 3, 5]
    assert asked(2, 5, 1000) == [2, 3]
    assert asked(0, 9, 2) == [1, 2]
    with pytest.raises(InvalidInput, match="1h candles"):
        source.klines(symbol="X", timeframe=Timeframe.M1, start_ms=0, end_ms=1, limit=1)
