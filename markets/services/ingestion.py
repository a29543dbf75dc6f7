"""The one way candles get into the database."""

import io
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction

from core.clock import to_ms
from markets.domain.candle import Row, check_row, refuse, trim
from markets.domain.timeframe import Timeframe

logger = logging.getLogger(__name__)

# Up to here one multi-row statement is as fast as a bulk load and says which rows changed.
SMALL_BATCH = 500
# Rows per bulk load: bounds memory and the time that the transaction lasts.
LARGE_BATCH = 50_000

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - only ever printed, see _time_text
_EXACT = ("open", "high", "low", "close", "volume")
# A source that does not publish these must not wipe out what another one has stored.
_SPARSE = ("quote_volume", "trade_count", "taker_buy_base", "taker_buy_quote")
_COLUMNS = ", ".join(("instrument_id", "timeframe", "open_time", *_EXACT, *_SPARSE))
_SET = ", ".join(
    [f"{name} = excluded.{name}" for name in _EXACT]
    + [f"{name} = COALESCE(excluded.{name}, candles.{name})" for name in _SPARSE]
    + ["revision = candles.revision + 1"]
)
_IS_OTHER = " OR ".join(
    [f"candles.{name} <> excluded.{name}" for name in _EXACT]
    + [
        f"(excluded.{name} IS NOT NULL AND"
        f" (candles.{name} IS NULL OR candles.{name} <> excluded.{name}))"
        for name in _SPARSE
    ]
)
_UPSERT = (
    f"ON CONFLICT (instrument_id, timeframe, open_time) DO UPDATE SET {_SET} WHERE {_IS_OTHER}"
    " RETURNING instrument_id, open_time, revision"
)
_SMALL_PLACES = "(" + ", ".join(["%s"] * 12) + ")"
_INBOX_COLUMNS = ", ".join(
    ("instrument_id", "open_time_ms", *_EXACT, "quote_volume", "trade_count", *_SPARSE[2:])
)
_INBOX = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS candle_inbox (instrument_id bigint, open_time_ms bigint, "
    + ", ".join(f"{name} {{decimal}}" for name in (*_EXACT, "quote_volume"))
    + ", trade_count integer, taker_buy_base {decimal}, taker_buy_quote {decimal})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What `store_candles` did.

    Attributes:
        new: Candles that were not there before.
        unchanged: Candles that were there with the same values.
        revised: Closed candles that came back with other values, now overwritten.
    """

    new: int = 0
    unchanged: int = 0
    revised: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            new=self.new + other.new,
            unchanged=self.unchanged + other.unchanged,
            revised=self.revised + other.revised,
        )


def store_candles(*, timeframe: str, rows: Iterable[Row], now: datetime) -> Stored:
    """Insert or overwrite closed candles; the same rows a second time change nothing.

    Args:
        timeframe: Of all rows.
        rows: Row forms, see ``markets.domain.candle``; for a repeated open time the last counts.
        now: Market time, for refusing candles that have not closed.

    Returns:
        The counts of new, unchanged and revised candles.

    Raises:
        InvalidInput: a row cannot be stored; then none of its batch is.
    """
    length = Timeframe(timeframe)
    unique: dict[tuple[int, int], Row] = {}
    for row in rows:
        unique[row[0], row[1]] = check_row(row, timeframe=length)
    # One order for everybody, so that two writers cannot block each other.
    ordered = [unique[key] for key in sorted(unique)]
    _refuse_open(ordered, timeframe=length, now=now)
    stored = Stored()
    for start in range(0, len(ordered), LARGE_BATCH):
        stored += _store_batch(ordered[start : start + LARGE_BATCH], timeframe=length)
    return stored


def _refuse_open(rows: Sequence[Row], *, timeframe: Timeframe, now: datetime) -> None:
    # The venue's clock may be a little ahead of ours when it announces a close.
    latest_open_ms = to_ms(now) - timeframe.ms + 60_000
    for row in rows:
        if row[1] > latest_open_ms:
            refuse("open_time_ms", row[1], f"of a closed {timeframe.value} candle at {now}")


def _store_batch(rows: Sequence[Row], *, timeframe: Timeframe) -> Stored:
    if not rows:
        return Stored()
    with transaction.atomic(), connection.cursor() as cursor:
        if len(rows) <= SMALL_BATCH:
            return _store_small(cursor, rows, timeframe=timeframe)
        return _store_large(cursor, rows, timeframe=timeframe)


def _store_small(cursor: Any, rows: Sequence[Row], *, timeframe: Timeframe) -> Stored:
    places = ", ".join([_SMALL_PLACES] * len(rows))
    parameters: list[Any] = []
    for row in rows:
        parameters += (row[0], timeframe.value, _time_text(row[1]))
        parameters += [trim(value) if isinstance(value, str) else value for value in row[2:]]
    cursor.execute(
        f"INSERT INTO candles ({_COLUMNS}) VALUES {places} {_UPSERT}",  # noqa: S608 - constants only
        parameters,
    )
    changed = cursor.fetchall()
    revised = [row for row in changed if row[2]]
    for instrument_id, open_time, revision in revised:
        logger.warning(
            "candle.revised instrument_id=%s open_time=%s revision=%s",
            instrument_id,
            open_time,
            revision,
        )
    return Stored(
        new=len(changed) - len(revised), unchanged=len(rows) - len(changed), revised=len(revised)
    )


def _store_large(cursor: Any, rows: Sequence[Row], *, timeframe: Timeframe) -> Stored:
    is_postgresql = connection.vendor == "postgresql"
    if _is_fresh(cursor, rows, timeframe=timeframe):
        insert = _copy if is_postgresql else _insert
        try:
            with transaction.atomic():
                insert(cursor, rows, timeframe=timeframe)
        except IntegrityError:
            # Somebody stored one of them meanwhile, or a row is out of range: the merge decides.
            logger.info("candles.insert_refused count=%s", len(rows))
        else:
            return Stored(new=len(rows))
    merge = _merge if is_postgresql else _merge_on_sqlite
    return merge(cursor, rows, timeframe=timeframe)


def _is_fresh(cursor: Any, rows: Sequence[Row], *, timeframe: Timeframe) -> bool:
    """Whether no candle of these series is stored in the range of `rows`."""
    ids = sorted({row[0] for row in rows})
    times = [row[1] for row in rows]
    places = ", ".join(["%s"] * len(ids))
    cursor.execute(
        f"SELECT 1 FROM candles WHERE instrument_id IN ({places}) AND timeframe = %s"  # noqa: S608
        " AND open_time >= %s AND open_time <= %s LIMIT 1",
        [*ids, timeframe.value, _time_text(min(times)), _time_text(max(times))],
    )
    return cursor.fetchone() is None


def _insert(cursor: Any, rows: Sequence[Row], *, timeframe: Timeframe) -> None:
    name = timeframe.value
    values = [
        (
            row[0],
            name,
            _time_text(row[1]),
            *[trim(value) if isinstance(value, str) else value for value in row[2:]],
        )
        for row in rows
    ]
    cursor.executemany(f"INSERT INTO candles ({_COLUMNS}) VALUES {_SMALL_PLACES}", values)  # noqa: S608


def _copy(cursor: Any, rows: Sequence[Row], *, timeframe: Timeframe) -> None:
    name = timeframe.value
    lines = "\n".join(
        ["\t".join((str(row[0]), name, _time_text(row[1]), *map(str, row[2:]))) for row in rows]
    )
    cursor.copy_expert(
        f"COPY candles ({_COLUMNS}) FROM STDIN WITH (NULL 'None')", io.StringIO(lines)
    )


def _merge(cursor: Any, rows: Sequence[Row], *, timeframe: Timeframe) -> Stored:
    cursor.execute(_INBOX.format(decimal="numeric(38, 18)"))
    cursor.execute("TRUNCATE candle_inbox")
    lines = "\n".join(["\t".join(map(str, row)) for row in rows])
    cursor.copy_expert(
        f"COPY candle_inbox ({_INBOX_COLUMNS}) FROM STDIN WITH (NULL 'None')", io.StringIO(lines)
    )
    merge = _merge_sql("to_timestamp(open_time_ms / 1000)", lambda name: name)
    cursor.execute(
        f"WITH merged AS ({merge}) SELECT count(*) FILTER (WHERE revision = 0),"  # noqa: S608
        " count(*) FILTER (WHERE revision > 0) FROM merged",
        [timeframe.value],
    )
    new, revised = cursor.fetchone()
    return _counted(new=new, revised=revised, total=len(rows))


def _merge_on_sqlite(cursor: Any, rows: Sequence[Row], *, timeframe: Timeframe) -> Stored:
    cursor.execute(_INBOX.format(decimal="text"))
    cursor.execute("DELETE FROM candle_inbox")
    places = ", ".join(["%s"] * 11)
    cursor.executemany(f"INSERT INTO candle_inbox ({_INBOX_COLUMNS}) VALUES ({places})", rows)  # noqa: S608
    merge = _merge_sql(
        "datetime(open_time_ms / 1000, 'unixepoch')",
        lambda name: (
            f"CASE WHEN instr({name}, '.') THEN rtrim(rtrim({name}, '0'), '.') ELSE {name} END"
        ),
    )
    cursor.execute(merge, [timeframe.value])
    revisions = cursor.fetchall()
    cursor.execute("DELETE FROM candle_inbox")
    revised = sum(1 for row in revisions if row[2])
    return _counted(new=len(revisions) - revised, revised=revised, total=len(rows))


def _merge_sql(open_time: str, exact: Callable[[str], str]) -> str:
    """Return the statement that moves the inbox into the table; its parameter is the timeframe.

    Args:
        open_time: Expression of the column's form of ``open_time_ms``.
        exact: Gives the expression of a decimal in the column's form.
    """
    values = [exact(name) for name in (*_EXACT, "quote_volume")]
    values += ["trade_count", *(exact(name) for name in _SPARSE[2:])]
    # "WHERE true" keeps SQLite from reading ON CONFLICT as the join's ON.
    return (
        f"INSERT INTO candles ({_COLUMNS}) SELECT instrument_id, %s, {open_time},"  # noqa: S608
        f" {', '.join(values)} FROM candle_inbox WHERE true {_UPSERT}"
    )


def _counted(*, new: int, revised: int, total: int) -> Stored:
    if revised:
        logger.warning("candle.revised_in_bulk count=%s total=%s", revised, total)
    return Stored(new=new, unchanged=total - new - revised, revised=revised)


def _time_text(time_ms: int) -> str:
    """Return UTC as the text that Django keeps in SQLite; PostgreSQL sessions are in UTC too."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).isoformat(" ")
