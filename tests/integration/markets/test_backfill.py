import csv
import gzip
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.clock import from_ms
from core.errors import InvalidInput, TemporaryExchangeError
from markets.adapters.csv_market_data import CsvMarketData
from markets.domain.candle import Row
from markets.domain.timeframe import Timeframe
from markets.models import Candle, CandleGap, Instrument
from markets.selectors import list_open_times, load_window
from markets.services.backfill import backfill
from markets.services.gaps import fill_gaps
from markets.services.ingestion import Stored
from markets.services.instruments import subscribe

M1 = Timeframe.M1
START = 1_700_000_000_000 // M1.ms * M1.ms


class FakeExchange:
    """Candles of every minute up to `last`, without those in `absent`; fails when told to."""

    def __init__(self, last: int, *, absent: frozenset[int] = frozenset()) -> None:
        self.last = last
        self.absent = absent
        self.asked: list[tuple[int, int]] = []
        self.fails_after: int | None = None

    def klines(self, *, start_ms: int, end_ms: int, limit: int, **_: Any) -> list[Row]:
        if self.fails_after is not None and len(self.asked) >= self.fails_after:
            raise TemporaryExchangeError("down")
        first, end = (start_ms - START) // M1.ms, (end_ms - START) // M1.ms
        self.asked.append((first, end))
        found = [n for n in range(first, min(end, self.last + 1)) if n not in self.absent]
        return [
            [START + n * M1.ms, "10", "11", "9", "10.5", f"{n % 97}.5", "1", 2, "3", "4"]
            for n in found[:limit]
        ]


def at(minute: int) -> datetime:
    return from_ms(START + minute * M1.ms)


def run(source: Any, instrument: Instrument, first: int, end: int, **more: Any) -> Any:
    return backfill(
        source=source,
        instrument_id=instrument.pk,
        timeframe=M1,
        start=at(first),
        end=at(end),
        **{"now": at(end + 100), **more},
    )


def minutes_of(instrument: Instrument) -> list[int]:
    times = list_open_times(
        instrument_ids=[instrument.pk], timeframe=M1, start_ms=START, end_ms=START + 10**9
    )
    return [(time - START) // M1.ms for time in times.get(instrument.pk, [])]


def test_it_goes_on_where_it_was_interrupted(make_instrument: Callable[..., Instrument]) -> None:
    instrument = make_instrument()
    exchange = FakeExchange(last=9999)
    exchange.fails_after = 2

    with pytest.raises(TemporaryExchangeError):
        run(exchange, instrument, 0, 3500)
    interrupted = minutes_of(instrument)
    exchange.fails_after = None
    result = run(exchange, instrument, 0, 3500)

    assert interrupted == list(range(2000))
    assert minutes_of(instrument) == list(range(3500))
    assert exchange.asked == [(0, 3500), (1000, 3500), (2000, 3500), (3000, 3500)]
    assert result.stored == Stored(new=1500)


def test_it_fetches_only_gaps_and_nothing_the_second_time(
    make_instrument: Callable[..., Instrument],
) -> None:
    instrument = make_instrument()
    exchange = FakeExchange(last=9999)
    run(exchange, instrument, 100, 200)
    run(exchange, instrument, 300, 400)
    exchange.asked.clear()
    told: list[tuple[int, int]] = []

    run(exchange, instrument, 0, 500, progress=lambda done, total: told.append((done, total)))
    again = run(exchange, instrument, 0, 500)

    assert exchange.asked == [(0, 100), (200, 300), (400, 500)]
    assert told == [(100, 300), (200, 300), (300, 300), (300, 300)]
    assert (again.stored, again.requests) == (Stored(), 0)


def test_it_does_not_ask_again_for_what_the_exchange_never_had(
    make_instrument: Callable[..., Instrument],
) -> None:
    instrument = make_instrument()
    exchange = FakeExchange(last=9999, absent=frozenset(range(50)) | {70, 71, 72})

    first = run(exchange, instrument, 0, 200)
    second = run(exchange, instrument, 0, 200)

    assert (first.stored.new, first.missing) == (147, 53)
    assert second.requests == 0
    gaps = CandleGap.objects.order_by("start_time").values_list("start_time", "end_time")
    assert list(gaps) == [(at(0), at(50)), (at(70), at(73))]


def test_it_leaves_open_candles_and_late_ones_for_later(
    make_instrument: Callable[..., Instrument],
) -> None:
    instrument = make_instrument()
    exchange = FakeExchange(last=9)

    run(exchange, instrument, 0, 12, now=at(12))
    exchange.last = 12
    run(exchange, instrument, 0, 13, now=at(12))

    assert minutes_of(instrument) == list(range(12))
    assert not CandleGap.objects.exists()


def test_it_refuses_a_range_that_is_none(make_instrument: Callable[..., Instrument]) -> None:
    with pytest.raises(InvalidInput, match="end must be after start"):
        run(FakeExchange(last=9), make_instrument(), 10, 10)
    with pytest.raises(InvalidInput, match="start in the past"):
        run(FakeExchange(last=9), make_instrument("ETHUSDT"), 10, 20, now=at(5))


def test_gaps_of_every_subscription_are_filled_one_failure_apart(
    make_instrument: Callable[..., Instrument],
) -> None:
    instruments = [make_instrument(symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")]
    for instrument in instruments:
        subscribe(instrument_id=instrument.pk, timeframe=M1)
    exchange = FakeExchange(last=9999, absent=frozenset({990}))
    run(exchange, instruments[0], 900, 985)
    exchange.asked.clear()
    exchange.fails_after = 2

    stored = fill_gaps(source=exchange, now=at(1000), bars=100)
    exchange.fails_after = None
    rest = fill_gaps(source=exchange, now=at(1000), bars=100)
    nothing = fill_gaps(source=exchange, now=at(1000), bars=100)

    whole = [minute for minute in range(900, 1000) if minute != 990]
    assert exchange.asked == [(985, 1000), (900, 1000), (900, 1000)]
    assert [minutes_of(instrument) for instrument in instruments] == [whole] * 3
    assert (stored.new, rest.new, nothing) == (14 + 99, 99, Stored())


def test_the_command_loads_a_file_and_says_what_it_did(
    make_instrument: Callable[..., Instrument], tmp_path: Path
) -> None:
    make_instrument()
    path = tmp_path / "BTCUSDT_1m.csv"
    lines = [f"{START + n * M1.ms},10,11,9,10,1" for n in range(700) if n != 5]
    path.write_text("open_time,open,high,low,close,volume\n" + "\n".join(lines))
    out, err = io.StringIO(), io.StringIO()

    for _ in range(2):
        call_command(
            "backfill", symbol="btcusdt", interval="1m", source="csv", file=[str(path)],
            stdout=out, stderr=err,
        )  # fmt: skip

    said = out.getvalue().splitlines()
    assert "699 new" in said[0]
    assert "0 new" in said[1]
    assert "100 % of 700 candles" in err.getvalue()
    assert not CandleGap.objects.exists()


def test_the_command_names_what_is_wrong(
    make_instrument: Callable[..., Instrument], tmp_path: Path
) -> None:
    make_instrument()
    path = tmp_path / "bad.csv"
    path.write_text(f"open_time,open,high,low,close,volume\n{START},x,11,9,10,1\n")

    with pytest.raises(CommandError, match=r"bad.csv line 2: open must be .* was 'x'"):
        call_command("backfill", symbol="BTCUSDT", interval="1m", source="csv", file=[str(path)])
    with pytest.raises(CommandError, match="--start must be a date"):
        call_command("backfill", symbol="BTCUSDT", interval="1m", start="yesterday")
    with pytest.raises(CommandError, match="need --file"):
        call_command("backfill", symbol="BTCUSDT", interval="1m", source="archive")


@pytest.mark.slow
def test_real_candles_keep_their_count_and_their_outages(
    make_instrument: Callable[..., Instrument], shared_data: Path
) -> None:
    path = next((shared_data / "candles" / "spot_1h").glob("BTCUSDT_*.csv.gz"))
    with gzip.open(path, "rt") as stream:
        lines = list(csv.DictReader(stream))
    instrument = make_instrument()
    source = CsvMarketData([path], timeframe=Timeframe.H1)
    assert source.span_ms is not None

    result = backfill(
        source=source,
        instrument_id=instrument.pk,
        timeframe=Timeframe.H1,
        start=from_ms(source.span_ms[0]),
        end=from_ms(source.span_ms[1]),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        is_exchange=False,
    )

    assert result.stored == Stored(new=len(lines))
    assert Candle.objects.count() == len(lines)
    window = load_window(instrument_id=instrument.pk, timeframe=Timeframe.H1)
    assert window.close.tolist() == [float(line["close"]) for line in lines]
    outage = (
        int(datetime(2018, 2, 8, 0, tzinfo=UTC).timestamp() * 1000),
        int(datetime(2018, 2, 9, 9, tzinfo=UTC).timestamp() * 1000),
    )
    position = window.open_time_ms.tolist().index(outage[0])
    assert window.open_time_ms[position + 1] - outage[0] >= 33 * Timeframe.H1.ms
