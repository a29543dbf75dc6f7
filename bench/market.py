"""Seeded candles with a planted signal, in row form, and the instruments they belong to."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np

_SIGMA = 0.001
_KEEP = 0.7
# Strong enough to be believed on nearly every symbol after a thousand candles; a stronger one makes
# the ensemble worse than its members, which a gate forbids.
_DRIFT = 0.7


def planted_rows(
    instrument_id: int,
    *,
    interval_ms: int,
    end_ms: int,
    count: int,
    last_price: float,
    price_places: int = 2,
) -> list[list[Any]]:
    """Return `count` closed candles up to `end_ms` whose taker share tells the next return."""
    rng = np.random.default_rng([7, instrument_id])
    noise = rng.standard_normal((3, count))
    state = np.empty(count)
    level = 0.0
    for index, shock in enumerate(noise[0]):
        level = _KEEP * level + (1 - _KEEP**2) ** 0.5 * shock
        state[index] = level
    returns = _SIGMA * (noise[1] + _DRIFT * np.concatenate([[0.0], state[:-1]]))
    close = np.exp(np.cumsum(returns))
    close *= last_price / close[-1]
    opened = np.concatenate([[close[0]], close[:-1]])
    spread = _SIGMA * np.abs(noise[2]) * close
    tick = 10.0**-price_places
    high, low = np.maximum(opened, close) + spread, np.minimum(opened, close) - spread
    volume = 100.0 * np.exp(0.3 * noise[2])
    share = np.clip(0.5 + 0.1 * state, 0.05, 0.95)
    form = f"%.{price_places}f"
    first_ms = end_ms - count * interval_ms
    return [
        [
            instrument_id,
            first_ms + index * interval_ms,
            form % opened[index],
            form % (high[index] + tick),
            form % max(low[index] - tick, tick),
            form % close[index],
            f"{volume[index]:.4f}",
            f"{volume[index] * close[index]:.4f}",
            250,
            f"{volume[index] * share[index]:.4f}",
            f"{volume[index] * share[index] * close[index]:.4f}",
        ]
        for index in range(count)
    ]


def usual_row(instrument_id: int, *, open_time_ms: int, price: str) -> list[Any]:
    """Return a candle that closed at `price` and looks like those of ``planted_rows``.

    A flat one would be unlike everything that the model has seen, and is not entered on.
    """
    rng = np.random.default_rng([8, instrument_id, open_time_ms])
    step, width, lean = rng.standard_normal(3)
    close = float(price)
    opened = close * (1.0 - _SIGMA * step)
    spread = _SIGMA * abs(width) * close
    volume = 100.0 * np.exp(0.3 * width)
    share = float(np.clip(0.5 + 0.1 * lean, 0.05, 0.95))
    places = len(price.partition(".")[2])
    high, low = max(opened, close) + spread, max(min(opened, close) - spread, 10.0**-places)
    return [
        instrument_id,
        open_time_ms,
        f"{opened:.{places}f}",
        f"{high + 10.0**-places:.{places}f}",
        f"{low:.{places}f}",
        price,
        f"{volume:.4f}",
        f"{volume * close:.4f}",
        250,
        f"{volume * share:.4f}",
        f"{volume * share * close:.4f}",
    ]


def make_instruments(count: int) -> list[int]:
    """Insert plain instruments for measurements without an exchange; return their ids."""
    from markets.models import Instrument

    now = datetime.now(UTC)
    rows = [
        Instrument(
            symbol=f"B{number:03d}USDT",
            base_asset=f"B{number:03d}",
            quote_asset="USDT",
            status="TRADING",
            tick_size=Decimal("0.01"),
            step_size=Decimal("0.001"),
            synced_at=now,
        )
        for number in range(count)
    ]
    return [row.pk for row in Instrument.objects.bulk_create(rows)]
