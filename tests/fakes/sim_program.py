"""A whole local exchange in the loop of the test, met over real connections.

What it journals is applied to a second ledger. As long as both say the same, nothing has changed
that was not journalled, however it was asked for.
"""

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect

from simexchange.__main__ import open_listener
from simexchange.engine.ledger import Ledger
from simexchange.engine.saving import apply, ledger_records
from simexchange.program import Options, Program

PATIENCE_S = 20.0


class Reply:
    """A reply over HTTP.

    `body` is JSON where the exchange says so, else text; so it is when the JSON is not whole.
    """

    def __init__(self, status: int, headers: Mapping[str, str], raw: bytes) -> None:
        self.status = status
        self.headers = headers
        self.is_whole = True
        self.body: Any = raw.decode("latin-1")
        if headers.get("content-type", "").startswith("application/json"):
            try:
                self.body = orjson.loads(raw)
            except orjson.JSONDecodeError:
                self.is_whole = False


class Line:
    """One kept connection; opened anew when the exchange has hung up."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        """Return the reply.

        Raises:
            ConnectionError: the line was cut.
        """
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port, limit=2**24)
        reader, writer = self._ends
        sent = {"host": "local", "content-length": str(len(body)), **headers}
        lines = [f"{method} {target} HTTP/1.1", *(f"{n}: {held}" for n, held in sent.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._read(reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await self.close()
            raise ConnectionError(str(error)) from error

    async def _read(self, reader: asyncio.StreamReader) -> Reply:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        told = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.lower(): held.strip() for name, held in told}
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "") == "close":
            await self.close()
        return Reply(int(head[0].split(" ")[1]), headers, raw)

    async def close(self) -> None:
        """Hang up."""
        if self._ends is not None:
            self._ends[1].close()
            self._ends = None


class Socket:
    """One WebSocket API connection; opened anew when the exchange has hung up."""

    def __init__(self, port: int) -> None:
        self._address = f"ws://127.0.0.1:{port}/ws-api/v3"
        self._line: ClientConnection | None = None

    async def ask(self, frame: str | bytes) -> Any:
        """Return the reply to a frame; what comes before it are events.

        Raises:
            ConnectionError: the line was cut.
        """
        try:
            if self._line is None:
                self._line = await connect(self._address, max_size=None, open_timeout=PATIENCE_S)
            await self._line.send(frame)
            async with asyncio.timeout(PATIENCE_S):
                while "status" not in (message := orjson.loads(await self._line.recv())):
                    continue
        except Exception as error:
            await self.close()
            raise ConnectionError(str(error)) from error
        return message

    async def close(self) -> None:
        """Hang up."""
        if self._line is not None:
            await self._line.close()
            self._line = None


class Witness:
    """What the exchange journals, and the ledger that this alone makes."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.records: list[dict[str, Any]] = []
        self._shadow = Ledger(program.exchange.ledger.seed)
        for record in rows_of(program.exchange.ledger):
            apply(self._shadow, orjson.loads(orjson.dumps(record)))
        self._write = program.exchange.record
        program.exchange.record = self._take

    def _take(self, record: dict[str, Any]) -> None:
        self._write(record)
        if record["k"] != "request":
            self.records.append(record)
            apply(self._shadow, orjson.loads(orjson.dumps(record)))

    def sight(self) -> tuple[Any, ...]:
        """Return what any change of the ledger, the rules or the faults would alter."""
        ledger = self.program.exchange.ledger
        held = [
            (account.account_id, asset, balance.free, balance.locked)
            for account in ledger.accounts.values()
            for asset, balance in account.balances.items()
        ]
        faults = self.program.app.misbehaviour.faults.rules
        now_ms = self.program.clock.now_ms()
        return len(self.records), ledger.ids(), held, len(faults), now_ms

    def require_journalled(self) -> None:
        """Compare the two ledgers."""
        assert rows_of(self.program.exchange.ledger) == rows_of(self._shadow)


def rows_of(ledger: Ledger) -> list[dict[str, Any]]:
    """Return the whole ledger as records in an order of their own, without its request log."""
    kept = [one for one in ledger_records(ledger) if one["k"] != "request"]
    return sorted(kept, key=orjson.dumps)


@contextlib.asynccontextmanager
async def running(options: Options) -> AsyncIterator[tuple[Program, int]]:
    """Serve an exchange in this loop; yield it and its port.

    It must stand at the end as it stood: none of its tasks may have ended by itself.
    """
    listener = open_listener("127.0.0.1", 0)
    program = Program(options)
    serving = asyncio.create_task(program.serve(listener))
    try:
        yield program, listener.getsockname()[1]
        assert not serving.done()
    finally:
        if not serving.done():
            signal.raise_signal(signal.SIGTERM)
        await serving
        gc.unfreeze()
