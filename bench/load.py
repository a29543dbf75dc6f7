"""A bounded HTTP load generator for the loopback: keep-alive connections, answers counted."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.sample import percentile

# Makes the next request: head and body, ready for the wire.
MakeRequest = Callable[[], bytes]


@dataclass(slots=True, kw_only=True)
class Load:
    """What a run found.

    Attributes:
        latencies_ms: Of every answer; in a paced run from when its request was due.
        statuses: How often each status came.
        seconds: From the first request to the last answer.
    """

    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return len(self.latencies_ms) / self.seconds

    @property
    def errors(self) -> int:
        """Answers that were not 200."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    def median_ms(self) -> float:
        """Return the middle of the latencies."""
        return percentile(self.latencies_ms, 50)

    def p99_ms(self) -> float:
        """Return the 99th percentile of the latencies."""
        return percentile(self.latencies_ms, 99)


def run_closed(make: MakeRequest, *, port: int, connections: int, seconds: float) -> Load:
    """Keep `connections` requests in flight for `seconds`."""
    return asyncio.run(_closed(make, port, connections, seconds))


def run_paced(make: MakeRequest, *, port: int, per_s: float, count: int) -> Load:
    """Send `count` requests at a steady pace, whatever the answers take."""
    return asyncio.run(_paced(make, port, per_s, count))


async def _closed(make: MakeRequest, port: int, connections: int, seconds: float) -> Load:
    load = Load()
    begun = time.perf_counter()

    async def work() -> None:
        async with _Connection(port) as connection:
            while (sent := time.perf_counter()) < begun + seconds:
                status = await connection.ask(make())
                load.latencies_ms.append((time.perf_counter() - sent) * 1000)
                load.statuses[status] += 1

    await asyncio.gather(*(work() for _ in range(connections)))
    load.seconds = time.perf_counter() - begun
    return load


async def _paced(make: MakeRequest, port: int, per_s: float, count: int) -> Load:
    load = Load()
    idle: list[_Connection] = []
    begun = time.perf_counter()

    async def send(due: float) -> None:
        connection = idle.pop() if idle else await _Connection(port).__aenter__()
        status = await connection.ask(make())
        load.latencies_ms.append((time.perf_counter() - due) * 1000)
        load.statuses[status] += 1
        idle.append(connection)

    sending = []
    for number in range(count):
        due = begun + number / per_s
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sending.append(asyncio.create_task(send(due)))
    await asyncio.gather(*sending)
    load.seconds = time.perf_counter() - begun
    for connection in idle:
        await connection.close()
    return load


class _Connection:
    """One keep-alive connection; every answer must carry its length."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> "_Connection":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its answer, read to the end."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not length:
            raise RuntimeError(f"an answer without a length: {head!r}")
        await self._reader.readexactly(int(length))
        return int(head.split(b" ", 2)[1])

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()
