"""A clock that moves when it is told to."""

from datetime import UTC, datetime, timedelta

from core.clock import to_ms

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class HandClock:
    """Implements ``core.clock.Clock``; each reading moves it on by a millisecond."""

    def __init__(self, start: datetime = START, speed: float = 1.0) -> None:
        self.speed = speed
        self._now = start
        # How far what it tells is from the true time.
        self.error = timedelta(0)

    def now(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now + self.error

    def exact(self) -> datetime:
        """Return the true time, which the exchange goes by."""
        return self.now() - self.error

    def steer(self, offset: timedelta) -> None:
        self.error += offset

    def now_ms(self) -> int:
        return to_ms(self.now())

    def read_ms(self) -> int:
        """Return the present in milliseconds without moving on."""
        return to_ms(self._now)

    def protocol(self, duration: timedelta) -> timedelta:
        return duration * self.speed

    def venue(self, duration: timedelta) -> timedelta:
        return self.protocol(duration)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
