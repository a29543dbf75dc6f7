"""Exchange time as an affine function of wall time, or moved by hand."""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import Callable

LONGEST_NAP_S = 0.5
"""A sleeper looks at the clock at least this often, so a stepped wall clock cannot strand it."""


def read_wall_ms() -> float:
    """Return the machine's time as milliseconds since 1970, the clock other processes share."""
    return time.time() * 1000.0


class SimClock:
    """Exchange time: ``now_ms = origin_sim_ms + (wall - origin_wall_ms) * speed``.

    Candles, trades and orders carry exchange time. Network rules (recvWindow, rate windows, stream
    cadence, pings) are about the line, not the market, and use `wall_ms` even when accelerated.

    Args:
        origin_sim_ms: exchange time at the start, epoch milliseconds.
        speed: exchange milliseconds per wall millisecond, > 0. Ignored when manual.
        manual: time stands still and only `advance` moves it.
        wall: reads the wall clock in milliseconds; tests pass their own.
        origin_wall_ms: wall time that belongs to `origin_sim_ms`; the present when left out.
    """

    def __init__(
        self,
        *,
        origin_sim_ms: int,
        speed: float = 1.0,
        manual: bool = False,
        wall: Callable[[], float] = read_wall_ms,
        origin_wall_ms: float | None = None,
    ) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above zero, was {speed}")
        self.manual = manual
        self.speed = 1.0 if manual else float(speed)
        self.origin_sim_ms = int(origin_sim_ms)
        self._wall = wall
        self.origin_wall_ms = wall() if origin_wall_ms is None else origin_wall_ms
        self._latest_ms = self.origin_sim_ms
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now_ms(self) -> int:
        """Return exchange time in epoch milliseconds; it never goes back."""
        if not self.manual:
            passed_ms = (self._wall() - self.origin_wall_ms) * self.speed
            self._latest_ms = max(self._latest_ms, self.origin_sim_ms + math.floor(passed_ms))
        return self._latest_ms

    def wall_ms(self) -> float:
        """Return wall time in milliseconds, for rules about the line."""
        return self._wall()

    def elapsed_wall_ms(self, delta_sim_ms: float) -> float:
        """Return the wall milliseconds that `delta_sim_ms` of exchange time take."""
        return delta_sim_ms / self.speed

    def advance(self, ms: int) -> int:
        """Move a manual clock on and wake the sleepers whose time has come.

        Returns:
            The new exchange time.

        Raises:
            ValueError: when the clock runs by itself or `ms` is negative.
        """
        if not self.manual:
            raise ValueError("only a manual clock can be advanced")
        if ms < 0:
            raise ValueError(f"the clock cannot go back, ms was {ms}")
        self._latest_ms += int(ms)
        while self._waiters and self._waiters[0][0] <= self._latest_ms:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(None)
        return self._latest_ms

    async def sleep_until(self, sim_ms: int) -> None:
        """Return once exchange time is at or past `sim_ms`."""
        if self.manual:
            await self._wait_for_hand(sim_ms)
            return
        while (left_ms := sim_ms - self.now_ms()) > 0:
            await asyncio.sleep(min(self.elapsed_wall_ms(left_ms) / 1000.0, LONGEST_NAP_S))

    async def _wait_for_hand(self, sim_ms: int) -> None:
        if sim_ms <= self._latest_ms:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (sim_ms, next(self._order), waiter))
        await waiter
