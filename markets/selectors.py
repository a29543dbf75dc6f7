"""What other apps may read of the market."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery, Sum

from core.clock import to_ms
from core.errors import NotFound
from markets.domain.candle import DECIMAL_FIELDS
from markets.domain.candle import Candle as CandleValue
from markets.domain.filters import read_trailing
from markets.domain.gaps import Gap
from markets.domain.instrument import InstrumentRules
from markets.domain.ticker import Mark, Ticker
from markets.domain.timeframe import Timeframe
from markets.models import Candle, CandleGap, Instrument, Subscription
from markets.models.tickers import read_tickers

# numpy costs a process 16 MB and most read no windows: the functions that make arrays import it.
if TYPE_CHECKING:
    from markets.domain.windows import Floats, Times, Window

_RULES_LIFETIME_S = 60.0
# These are no columns of their own: one is the key, the others stay in the exchange's words.
_READ_APART = ("instrument_id", "trailing_above_bps", "trailing_below_bps")
_RULE_FIELDS = tuple(
    name for name in InstrumentRules.__dataclass_fields__ if name not in _READ_APART
)
_EARLIEST = "2010-01-01 00:00:00"
_LATEST = "2100-01-01 00:00:00"

_rules: dict[int, InstrumentRules] = {}
_rules_read_at = -_RULES_LIFETIME_S


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionView:
    """One series of candles that is streamed."""

    instrument_id: int
    symbol: str
    timeframe: Timeframe


def list_rules(instrument_ids: Iterable[int] | None = None) -> dict[int, InstrumentRules]:
    """Return the trading rules by instrument id, of all instruments or of those named.

    Read at most once a minute per process: filters change rarely, and an order against an old
    one is refused by the exchange. Unknown ids are left out.
    """
    global _rules, _rules_read_at  # noqa: PLW0603 - one cache for the process
    wanted = None if instrument_ids is None else set(instrument_ids)
    is_old = time.monotonic() - _rules_read_at >= _RULES_LIFETIME_S
    if is_old or (wanted is not None and not wanted <= _rules.keys()):
        _rules = {row.pk: _rules_of(row) for row in Instrument.objects.order_by("id")}
        _rules_read_at = time.monotonic()
    if wanted is None:
        return dict(_rules)
    return {key: rules for key, rules in _rules.items() if key in wanted}


def forget_rules() -> None:
    """Drop the process's cached rules, after a sync."""
    global _rules_read_at  # noqa: PLW0603 - one cache for the process
    _rules_read_at = -_RULES_LIFETIME_S


def get_rules_by_symbol(symbol: str) -> InstrumentRules:
    """Return the trading rules of a symbol.

    Raises:
        NotFound: no instrument has that symbol.
    """
    # PostgreSQL fails on a NUL instead of finding nothing.
    is_text = "\x00" not in symbol
    row = Instrument.objects.filter(symbol=symbol.upper()).first() if is_text else None
    if row is None:
        raise NotFound(
            f"Symbol {symbol!r} is unknown; `manage.py backfill` reads the exchange's list first",
            field="symbol",
            value=symbol,
        )
    return _rules_of(row)


def list_subscriptions(*, timeframe: Timeframe | None = None) -> list[SubscriptionView]:
    """Return the active subscriptions, of one timeframe or of all, in a stable order."""
    rows = Subscription.objects.filter(is_active=True).select_related("instrument")
    if timeframe is not None:
        rows = rows.filter(timeframe=timeframe.value)
    return [
        SubscriptionView(
            instrument_id=row.instrument_id,
            symbol=row.instrument.symbol,
            timeframe=Timeframe(row.timeframe),
        )
        for row in rows.order_by("timeframe", "instrument_id")
    ]


def get_provenance(instrument_id: int) -> str:
    """Return where the instrument's prices come from; empty for a real market."""
    return str(Instrument.objects.values_list("provenance", flat=True).get(pk=instrument_id))


def list_candles(
    *, instrument_id: int, timeframe: Timeframe, end: datetime | None = None, limit: int
) -> list[CandleValue]:
    """Return the newest `limit` candles that closed by `end`, ascending and exact."""
    rows = Candle.objects.filter(instrument_id=instrument_id, timeframe=timeframe.value)
    if end is not None:
        rows = rows.filter(open_time__lte=end - timeframe.delta)
    newest = list(rows.order_by("-open_time")[:limit])
    return [
        CandleValue(
            instrument_id=instrument_id,
            timeframe=timeframe,
            open_time_ms=to_ms(row.open_time),
            trades=row.trade_count,
            **{name: getattr(row, name) for name in DECIMAL_FIELDS},
        )
        for row in reversed(newest)
    ]


def load_window(
    *,
    instrument_id: int,
    timeframe: str,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
) -> "Window":
    """Return stored candles as arrays.

    Args:
        instrument_id: Which instrument.
        timeframe: Which candles.
        start: Leave out candles that open before.
        end: Leave out candles that close after.
        limit: Return only the newest so many.
    """
    from markets.domain.windows import window_of

    length = Timeframe(timeframe)
    last_open = None if end is None else end - length.delta
    sql = (
        f"SELECT {_float_columns()} FROM candles WHERE instrument_id = %s AND timeframe = %s"  # noqa: S608
        " AND open_time >= %s AND open_time <= %s ORDER BY open_time DESC"
    )
    bounds = [_time_text(start, _EARLIEST), _time_text(last_open, _LATEST)]
    parameters: list[Any] = [instrument_id, length.value, *bounds]
    if limit is not None:
        sql += " LIMIT %s"
        parameters.append(limit)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    return window_of(*_arrays(rows[::-1]))


def load_series(
    *, instrument_ids: Sequence[int], timeframe: Timeframe, close_time_ms: int, length: int
) -> dict[int, tuple["Times", "Floats"]]:
    """Return the newest candles of many instruments with one query.

    Args:
        instrument_ids: Which instruments.
        timeframe: Which candles.
        close_time_ms: Leave out candles that close after.
        length: Most candles per instrument.

    Returns:
        Per instrument that has any: open times, shape (n,), and FLOAT_FIELDS, shape (7, n).
    """
    if not instrument_ids:
        return {}
    last_open = _text_of_ms(close_time_ms - timeframe.ms)
    places = ", ".join(["%s"] * len(instrument_ids))
    tail = (
        "SELECT {what} FROM candles t WHERE t.instrument_id = i.id AND t.timeframe = %s"
        " AND t.open_time <= %s ORDER BY t.open_time DESC"
    )
    if connection.vendor == "postgresql":
        sql = (
            f"SELECT i.id, {_float_columns()} FROM instruments i CROSS JOIN LATERAL"  # noqa: S608
            f" ({tail.format(what='*')} LIMIT %s) c WHERE i.id IN ({places})"
            " ORDER BY i.id, c.open_time"
        )
        parameters = [timeframe.value, last_open, length, *instrument_ids]
    else:
        sql = (
            f"SELECT i.id, {_float_columns()} FROM instruments i JOIN candles c"  # noqa: S608
            " ON c.instrument_id = i.id AND c.timeframe = %s AND c.open_time <= %s"
            f" AND c.open_time >= COALESCE(({tail.format(what='t.open_time')} LIMIT 1 OFFSET %s),"
            f" '{_EARLIEST}') WHERE i.id IN ({places}) ORDER BY i.id, c.open_time"
        )
        last = (timeframe.value, last_open)
        parameters = [*last, *last, length - 1, *instrument_ids]
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    by_instrument: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_instrument.setdefault(row[0], []).append(row[1:])
    return {key: _arrays(found) for key, found in by_instrument.items()}


def list_open_times(
    *, instrument_ids: Sequence[int], timeframe: Timeframe, start_ms: int, end_ms: int
) -> dict[int, list[int]]:
    """Return the stored open times in [start_ms, end_ms) by instrument, ascending."""
    if not instrument_ids:
        return {}
    places = ", ".join(["%s"] * len(instrument_ids))
    sql = (
        f"SELECT instrument_id, {_time_column()} FROM candles WHERE timeframe = %s"  # noqa: S608
        f" AND instrument_id IN ({places}) AND open_time >= %s AND open_time < %s"
        " ORDER BY instrument_id, open_time"
    )
    bounds = (_text_of_ms(start_ms), _text_of_ms(end_ms))
    found: dict[int, list[int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, [timeframe.value, *instrument_ids, *bounds])
        for instrument_id, open_time_ms in cursor.fetchall():
            found.setdefault(instrument_id, []).append(open_time_ms)
    return found


def list_known_gaps(*, instrument_ids: Sequence[int], timeframe: Timeframe) -> dict[int, list[Gap]]:
    """Return the stretches for which the exchange itself has no candles, ascending."""
    rows = CandleGap.objects.filter(instrument_id__in=instrument_ids, timeframe=timeframe.value)
    found: dict[int, list[Gap]] = {}
    for row in rows.order_by("instrument_id", "start_time", "id"):
        gap = Gap(start_ms=to_ms(row.start_time), end_ms=to_ms(row.end_time))
        found.setdefault(row.instrument_id, []).append(gap)
    return found


def list_revised_closes(
    *, instrument_id: int, timeframe: Timeframe, start: datetime, end: datetime
) -> list[int]:
    """Return the closes (ms) of candles that the exchange changed after they were stored."""
    rows = _revised([instrument_id], timeframe, start, end)
    times = rows.order_by("open_time").values_list("open_time", flat=True)
    return [to_ms(moment) + timeframe.ms for moment in times]


def count_revisions(
    *, instrument_ids: Sequence[int], timeframe: Timeframe, start: datetime, end: datetime
) -> int:
    """Return how often candles of these symbols were changed after they were first stored."""
    found = _revised(instrument_ids, timeframe, start, end).aggregate(total=Sum("revision"))
    return int(found["total"] or 0)


def _revised(
    instrument_ids: Sequence[int], timeframe: Timeframe, start: datetime, end: datetime
) -> QuerySet[Candle]:
    return Candle.objects.filter(
        instrument_id__in=instrument_ids,
        timeframe=timeframe.value,
        open_time__gte=start,
        open_time__lt=end,
        revision__gt=0,
    )


def list_newest_open_times(timeframe: Timeframe) -> dict[int, int]:
    """Return the newest stored open time of every subscribed instrument that has candles."""
    newest = (
        Candle.objects.filter(instrument_id=OuterRef("instrument_id"), timeframe=timeframe.value)
        .order_by("-open_time")
        .values("open_time")[:1]
    )
    rows = Subscription.objects.filter(is_active=True, timeframe=timeframe.value)
    pairs = rows.annotate(newest=Subquery(newest)).values_list("instrument_id", "newest")
    return {key: to_ms(moment) for key, moment in pairs if moment is not None}


def list_tickers(symbols: Sequence[str]) -> dict[str, Ticker]:
    """Return the live tickers known of `symbols`."""
    return read_tickers(symbols)


def list_marks(instrument_ids: Iterable[int]) -> dict[int, Mark]:
    """Return the price to value each instrument at: the last ticker, else the last close.

    An instrument without both is left out. `Mark.at` tells the age; judging it is the reader's.
    """
    symbols = {key: rules.symbol for key, rules in list_rules(instrument_ids).items()}
    tickers = read_tickers(list(symbols.values()))
    marks = {
        key: Mark(price=tickers[symbol].price, at=tickers[symbol].at)
        for key, symbol in symbols.items()
        if symbol in tickers
    }
    missing = [key for key in symbols if key not in marks]
    return marks | _list_last_closes(missing) if missing else marks


def _list_last_closes(instrument_ids: Sequence[int]) -> dict[int, Mark]:
    newest = {
        f"newest_{timeframe.value}": Subquery(
            Candle.objects.filter(instrument_id=OuterRef("pk"), timeframe=timeframe.value)
            .order_by("-open_time")
            .values("pk")[:1]
        )
        for timeframe in Timeframe
    }
    rows = Instrument.objects.filter(pk__in=instrument_ids).values_list(*newest.values())
    keys = [key for row in rows for key in row if key is not None]
    marks: dict[int, Mark] = {}
    for candle in Candle.objects.filter(pk__in=keys).order_by("id"):
        at = candle.open_time + Timeframe(candle.timeframe).delta
        known = marks.get(candle.instrument_id)
        if known is None or at > known.at:
            marks[candle.instrument_id] = Mark(price=candle.close, at=at)
    return marks


def _rules_of(row: Instrument) -> InstrumentRules:
    above, below = read_trailing(row.filters)
    return InstrumentRules(
        instrument_id=row.pk,
        trailing_above_bps=above,
        trailing_below_bps=below,
        **{name: getattr(row, name) for name in _RULE_FIELDS},
    )


def _float_columns() -> str:
    """Return the select list of a window; both forms give the float nearest to the decimal.

    SQLite's own conversion of text is not always the nearest, so there the text is read and
    Python converts it.
    """
    from markets.domain.windows import FLOAT_FIELDS

    if connection.vendor == "postgresql":
        floats = ", ".join(f"{name}::float8" for name in FLOAT_FIELDS)
        return f"{_time_column()}, {floats}"
    return f"{_time_column()}, {', '.join(FLOAT_FIELDS)}"


def _time_column() -> str:
    """Return the expression of ``open_time`` in milliseconds."""
    if connection.vendor == "postgresql":
        return "(EXTRACT(EPOCH FROM open_time) * 1000)::bigint"
    return "CAST(strftime('%%s', open_time) AS INTEGER) * 1000"


def _arrays(rows: Sequence[tuple[Any, ...]]) -> tuple["Times", "Floats"]:
    import numpy as np

    from markets.domain.windows import FLOAT_FIELDS

    if not rows:
        return np.zeros(0, dtype=np.int64), np.zeros((len(FLOAT_FIELDS), 0))
    columns = list(zip(*rows, strict=True))
    times = np.array(columns[0], dtype=np.int64)
    nan = float("nan")
    floats = [
        [nan if value is None else float(value) for value in column] for column in columns[1:]
    ]
    return times, np.array(floats, dtype=np.float64)


def _time_text(moment: datetime | None, default: str) -> str:
    return default if moment is None else _text_of_ms(to_ms(moment))


def _text_of_ms(time_ms: int) -> str:
    """Return UTC in the form that compares right in both databases."""
    return (datetime(1970, 1, 1) + timedelta(milliseconds=time_ms)).isoformat(" ")  # noqa: DTZ001
