"""Clients in environments and processes of their own, Binance's official ones among them.

The SDK's pins and ccxt's cannot be had together; the older connector owns the package `binance`,
as python-binance does.
"""

import asyncio
import functools
import json
import subprocess
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench.peers import environment
from tests.contract.simexchange.clients import Refused, SyncDesk
from tests.processes import ROOT, SimExchange

PROGRAMS = Path(__file__).parent / "programs"
PATIENCE_S = 60


def client_python(name: str, *steps: tuple[str, ...], **variables: str) -> Path:
    """Return the Python that has somebody's client; skip where no registry answers."""
    python = _made(name, steps, **variables)
    if python is None:
        pytest.skip(f"{name} is not installed, and no package registry answers")
    return python


@functools.cache
def _made(name: str, steps: tuple[tuple[str, ...], ...], **variables: str) -> Path | None:
    try:
        return environment.make(ROOT / "var/peers" / name, steps, variables=variables)
    except environment.Unreachable:
        return None


class Program:
    """A client in another process, asked by lines of JSON."""

    def __init__(self, python: Path, name: str, *options: str) -> None:
        self.name = name
        self.child = subprocess.Popen(
            [str(python), str(PROGRAMS / name), *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, name: str, /, **params: Any) -> Any:
        """Call a method of the program; raise what the exchange refused."""
        self.child.stdin.write(json.dumps({"call": name, "params": params}) + "\n")
        self.child.stdin.flush()
        read = self.child.stdout.readline()
        assert read, f"{self.name} ended; its last words are on stderr"
        answer = json.loads(read)
        assert "failed" not in answer, answer["failed"]
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["result"]

    def end(self) -> None:
        """Let it end, as it does when nobody asks any more."""
        self.child.communicate(timeout=PATIENCE_S)


class ProgramDesk(SyncDesk):
    """The desk of a client in another process. One process serves a module's tests."""

    requirement: str
    program: str
    more: tuple[str, ...] = ()
    running: ClassVar[dict[tuple[str, ...], Program]] = {}

    def __init__(self, sim: SimExchange) -> None:
        name = self.requirement.partition("==")[0]
        self.python = client_python(name, (self.requirement,))
        self.options = (self.program, sim.url, str(sim.port), sim.key, sim.secret, *self.more)

    async def start(self) -> None:
        if self.options not in self.running:
            self.running[self.options] = Program(self.python, *self.options)
            await self.ask("start")

    async def close(self) -> None:
        """Leave the process to the next test."""

    async def ask(self, name: str, /, **params: Any) -> Any:
        """Call a method of the program; raise what the exchange refused."""
        return await asyncio.to_thread(self.running[self.options].ask, name, **params)

    async def _ask(self, name: str, **params: Any) -> Any:
        return await self.ask(name, **params)


def end_programs() -> None:
    """End every client that was started; its own leave-taking must succeed."""
    while ProgramDesk.running:
        _, program = ProgramDesk.running.popitem()
        try:
            program.ask("close")
        finally:
            program.end()


class SdkDesk(ProgramDesk):
    """The official SDK over REST."""

    requirement = "binance-sdk-spot==13.3.0"
    program = "official_sdk.py"
    more: tuple[str, ...] = ("rest",)


class SdkSocketDesk(SdkDesk):
    """The same SDK over the WebSocket API."""

    more = ("socket",)


class ConnectorDesk(ProgramDesk):
    """The connector that came before the SDK; many programs still use it."""

    requirement = "binance-connector==3.13.0"
    program = "official_connector.py"
