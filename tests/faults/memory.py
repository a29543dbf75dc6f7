"""An account on an exchange in this process; see ``tests/fakes/sim_line.py``."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from execution.adapters.binance_broker import BinanceBroker
from execution.adapters.sim_ledger import truth_of
from execution.services.world.checking import check_world
from markets.adapters.binance_client import build_client
from tests.fakes.clock import HandClock
from tests.fakes.sim_line import URL, SimLine
from tests.faults.reaper import Reaper
from tests.floor import D, Floor, open_floor

PRICES = {"BTCUSDT": D("50000"), "ETHUSDT": D("2500"), "ADAUSDT": D("0.5")}
KEY, SECRET = "memory-key", "memory-secret"


@dataclass
class MemoryFloor(Floor):
    """A floor whose exchange is in this process."""

    line: SimLine | None = None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        assert self.line is not None
        return self.line.call(method, path, body)

    def price(self, symbol: str) -> Decimal:
        assert self.line is not None
        return Decimal(self.line.market.last_price(symbol))


class Wire:
    """What carries the clients' requests: to whichever exchange is there now."""

    line: SimLine

    def send(self, request: Any, timeout: Any = None, **_more: Any) -> Any:
        return self.line.send(request, timeout=timeout)


def connect(line: SimLine) -> BinanceBroker:
    """Return a broker of its own, as each process has."""
    client = build_client(
        mode="demo", sim_url=URL, clock=line.clock, api_key=KEY, api_secret=SECRET
    )
    return BinanceBroker(client, line.clock)


def open_memory_floor(wire: Wire, clock: HandClock) -> MemoryFloor:
    """Open the account; every schedule begins with what this leaves."""
    wire.line = SimLine(clock, PRICES, key=KEY, secret=SECRET)
    client = build_client(mode="demo", sim_url=URL, clock=clock, api_key=KEY, api_secret=SECRET)
    floor = open_floor(client, clock, name="memory", url=URL)
    return MemoryFloor(**vars(floor), line=wire.line)


@dataclass
class Memory:
    """A world in this process, and what ends its processes."""

    floor: MemoryFloor
    wire: Wire
    reaper: Reaper

    def findings(self) -> list[str]:
        """Check every invariant against the exchange's own ledger; return what was found."""
        clock = self.floor.clock
        report = check_world(
            account_id=self.floor.account.pk,
            read_truth=lambda: truth_of(
                self.wire.line.exchange.ledger.describe(),
                api_key=KEY,
                since=self.floor.account.opened_at or self.floor.account.created_at,
            ),
            clock=clock,
            pause=lambda _seconds: None,
        )
        return [f"{i.name} {f.subject}: {f.problem}" for i, f in report.findings]
