"""One closed candle, and the row form in which candles travel.

A row is ``[instrument_id, open_time_ms, open, high, low, close, volume, quote_volume, trades,
taker_buy_base, taker_buy_quote]`` with decimals as plain text, so that it survives JSON exactly.
The last four may be None: some histories were published without them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from core.clock import from_ms
from core.errors import InvalidInput
from markets.domain.timeframe import Timeframe

Row = Sequence[Any]
"""A candle as a list or tuple of eleven values, see the module's docstring."""

ROW_FIELDS = (
    "instrument_id",
    "open_time_ms",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "quote_volume",
    "trades",
    "taker_buy_base",
    "taker_buy_quote",
)
OPTIONAL_FIELDS = frozenset(ROW_FIELDS[7:])
DECIMAL_FIELDS = (*ROW_FIELDS[2:8], *ROW_FIELDS[9:])

# What numeric(38, 18) holds without rounding.
_PLAIN = re.compile(r"(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?")
_EIGHT_PLAIN = re.compile(rf"{_PLAIN.pattern}(?: {_PLAIN.pattern}){{7}}")
_EARLIEST_MS = 1_262_304_000_000  # 2010: an older time is in seconds, or wrong
_LATEST_MS = 4_102_444_800_000  # 2100: a later time is in microseconds, or wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """What one instrument did in one closed stretch of time.

    Attributes:
        instrument_id: Key of the instrument.
        timeframe: Length of the stretch.
        open_time_ms: Its start, a multiple of the timeframe.
        open: First price, quote per base.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Traded quantity, base units.
        quote_volume: Traded notional, quote units; None if the source did not say.
        trades: Number of trades; None if the source did not say.
        taker_buy_base: Quantity bought by takers; None if the source did not say.
        taker_buy_quote: Notional bought by takers; None if the source did not say.
    """

    instrument_id: int
    timeframe: Timeframe
    open_time_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal | None = None
    trades: int | None = None
    taker_buy_base: Decimal | None = None
    taker_buy_quote: Decimal | None = None

    def __post_init__(self) -> None:
        check_row(self.to_row(), timeframe=self.timeframe)

    @property
    def open_time(self) -> datetime:
        """Start of the stretch, UTC."""
        return from_ms(self.open_time_ms)

    @property
    def close_time(self) -> datetime:
        """End of the stretch, UTC; the candle may be used from then on."""
        return from_ms(self.open_time_ms + self.timeframe.ms)

    def to_row(self) -> list[Any]:
        """Return the row form; decimals plain and without padding zeros."""
        return [
            text_of(value) if isinstance(value, Decimal) else value
            for value in (getattr(self, name) for name in ROW_FIELDS)
        ]

    @classmethod
    def from_row(cls, row: Row, *, timeframe: Timeframe) -> "Candle":
        """Return the candle of a row.

        Raises:
            InvalidInput: a value of the row cannot be used.
        """
        checked = check_row(row, timeframe=timeframe)
        values = dict(zip(ROW_FIELDS, checked, strict=True))
        for name in DECIMAL_FIELDS:
            if values[name] is not None:
                values[name] = Decimal(values[name])
        return cls(timeframe=timeframe, **values)


def text_of(number: Decimal) -> str:
    """Return a decimal as plain text without exponent and padding zeros."""
    return trim(format(number, "f"))


def trim(text: str) -> str:
    """Drop the padding zeros after the point of a plain number."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def check_row(row: Row, *, timeframe: Timeframe) -> Row:
    """Return `row` unchanged if every value can be stored exactly and makes sense.

    Raises:
        InvalidInput: names the field, the value found and what it should be.
    """
    try:
        _, open_time_ms, opened, high, low, close, volume, quote, trades, base, quote_bought = row
    except (TypeError, ValueError):
        raise InvalidInput(
            f"A candle row has {len(ROW_FIELDS)} values ({', '.join(ROW_FIELDS)}), was {row!r}",
            field="row",
            value=repr(row),
        ) from None
    plain = (opened, high, low, close, volume, quote or "0", base or "0", quote_bought or "0")
    try:
        is_plain = _EIGHT_PLAIN.fullmatch(" ".join(plain)) is not None
    except TypeError:
        is_plain = False
    if not is_plain:
        _refuse_numbers(row)
    if type(open_time_ms) is not int or not _EARLIEST_MS <= open_time_ms <= _LATEST_MS:
        refuse("open_time_ms", open_time_ms, "milliseconds since 1970 between 2010 and 2100")
    if open_time_ms % timeframe.ms:
        refuse("open_time_ms", open_time_ms, f"a multiple of {timeframe.ms} ({timeframe.value})")
    if trades is not None and (type(trades) is not int or trades < 0):
        refuse("trades", trades, "a whole number, 0 or more")
    lowest = float(low)
    # Floats keep the order of decimals, so what is strictly inside for them is inside.
    if not (0.0 < lowest < float(opened) < (top := float(high)) and lowest < float(close) < top):
        _check_prices(Decimal(opened), Decimal(high), Decimal(low), Decimal(close))
    return row


def _check_prices(opened: Decimal, high: Decimal, low: Decimal, close: Decimal) -> None:
    if low <= 0:
        refuse("low", low, "a price above 0")
    if not low <= opened <= high:
        refuse("open", opened, f"a price between low {low} and high {high}")
    if not low <= close <= high:
        refuse("close", close, f"a price between low {low} and high {high}")


def _refuse_numbers(row: Row) -> NoReturn:
    for name, value in zip(ROW_FIELDS, row, strict=True):
        if name not in DECIMAL_FIELDS or (value is None and name in OPTIONAL_FIELDS):
            continue
        if not isinstance(value, str) or _PLAIN.fullmatch(value) is None:
            refuse(
                name,
                value,
                "a plain number such as 12.5 in text, at most 20.18 digits, not below 0",
            )
    refuse("row", row, "plain numbers")


def refuse(field: str, value: object, expected: str) -> NoReturn:
    """Raise InvalidInput that names the field, what was found and what to write instead."""
    raise InvalidInput(
        f"{field} must be {expected}, was {value!r}",
        field=field,
        value=str(value),
        expected=expected,
    )
