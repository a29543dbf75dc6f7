"""Where the time comes from.

Domain code and services are *handed* the time; only entry points (tasks, commands, views,
consumers) ask ``get_clock()``. In demo and paper mode the local exchange may run faster than the
wall; it and all our processes then share one affine clock, handed down in ``CLOCK``.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from core.recording.tape import told


class Clock(Protocol):
    """Tells the time of the market."""

    @property
    def speed(self) -> float:
        """Market seconds that pass in one second of the wall."""

    def now(self) -> datetime:
        """Return the present, aware, in UTC."""

    def now_ms(self) -> int:
        """Return the present in milliseconds since 1970."""

    def protocol(self, duration: timedelta) -> timedelta:
        """Return how much market time passes while `duration` passes on the wall.

        Network rules (receive window, fences, heart-beats, reply time-outs) do not run faster
        because the market does.
        """

    def steer(self, offset: timedelta) -> None:
        """Tell another time by `offset` from now on: the exchange's is the one that counts."""

    def venue(self, duration: timedelta) -> timedelta:
        """Return the market time of one of the exchange's own waits (window, engine, reply).

        Like `protocol`, and shorter where the local exchange is asked to be less patient.
        """


@dataclass(slots=True, kw_only=True)
class AffineClock:
    """``market = origin_market_ms + offset_ms + (wall - origin_wall_ms) * speed``.

    Attributes:
        origin_wall_ms: Wall time of the common origin.
        origin_market_ms: Market time at that moment.
        speed: Market seconds per wall second, > 0.
        offset_ms: What the exchange's time was found to differ by; see `steer`.
        patience: Share of Binance's waits that the exchange takes, in (0, 1]. Below 1 only for
            tests against the local exchange: a fence then passes in seconds.
    """

    origin_wall_ms: int = 0
    origin_market_ms: int = 0
    speed: float = 1.0
    patience: float = 1.0
    offset_ms: float = 0.0

    def __post_init__(self) -> None:
        if self.speed <= 0:
            raise ValueError(f"speed must be above 0, was {self.speed}")
        if not 0 < self.patience <= 1:
            raise ValueError(f"patience must be above 0 and at most 1, was {self.patience}")

    def now_ms(self) -> int:
        return told("clock", self._read_ms)

    def _read_ms(self) -> int:
        wall_ms = time.time_ns() / 1_000_000
        passed_ms = (wall_ms - self.origin_wall_ms) * self.speed
        return round(self.origin_market_ms + self.offset_ms + passed_ms)

    def now(self) -> datetime:
        return from_ms(self.now_ms())

    def steer(self, offset: timedelta) -> None:
        self.offset_ms += offset / timedelta(milliseconds=1)

    def protocol(self, duration: timedelta) -> timedelta:
        return duration * self.speed

    def venue(self, duration: timedelta) -> timedelta:
        return self.protocol(duration) * self.patience


def parse_clock(text: str) -> AffineClock:
    """Read ``ORIGIN_WALL_MS:ORIGIN_MARKET_MS:SPEED[:PATIENCE]``; empty text is the wall clock.

    Raises:
        ValueError: `text` has another form.
    """
    if not text:
        return AffineClock()
    wall, market, speed, *rest = text.split(":")
    patience = float(*rest) if rest else 1.0
    return AffineClock(
        origin_wall_ms=int(wall),
        origin_market_ms=int(market),
        speed=float(speed),
        patience=patience,
    )


@lru_cache(maxsize=1)
def get_clock() -> Clock:
    """Return the process's clock, as set by ``CLOCK``. For entry points only."""
    from django.conf import settings

    return parse_clock(settings.CLOCK)


def from_ms(time_ms: int) -> datetime:
    """Return the UTC datetime of `time_ms`, exact to the millisecond."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return datetime.fromtimestamp(seconds, tz=UTC) + timedelta(milliseconds=milliseconds)


def to_ms(moment: datetime) -> int:
    """Return `moment` in milliseconds since 1970, exact."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return delta.days * 86_400_000 + delta.seconds * 1000 + delta.microseconds // 1000
