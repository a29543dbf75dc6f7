"""A cell: one account on the local exchange, processes that die, and what must hold after it."""

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from requests.adapters import HTTPAdapter

from core import crashpoints
from core.models import AuditRecord
from execution.adapters.sim_ledger import read_sim_ledger
from execution.domain.invariants import WorldReport
from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Account, Order, Position
from execution.services.kill import CONFIRMED, confirmation_subject
from execution.services.orders import ManualOrder, place_manual_order
from execution.services.reconciliation import close_gate
from execution.services.world.checking import check_world
from markets.selectors import get_rules_by_symbol
from risk.domain.trading_state import Level
from risk.models import RiskLimits
from risk.services.trading_state import raise_level, read_states
from tests import processes
from tests.conftest import environment_of_children
from tests.fakes.clock import HandClock
from tests.faults.memory import Memory, Wire, open_memory_floor
from tests.faults.proxy import ChaosProxy
from tests.faults.reaper import Reaper
from tests.floor import D, Floor, build_floor

PATIENCE = 0.15  # recvWindow 0.75 s, engine 1.5 s: a fence passes in 2.55 s
SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "XRPUSDT", "ADAUSDT")
BALANCES = {"USDT": "1000000"}
# How long a cell may take to come to rest; it is polled, so only a failure waits for it.
REST_LIMIT_S = 40.0
_IN_DOUBT = ("SENDING", "UNKNOWN", "APPROVED")


class Zygote:
    """Forks actors within milliseconds."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.data_dir = Path(environment["DATA_DIR"])
        self.environment = environment
        self._folder = folder
        self._numbers = itertools.count()
        self._errors = (folder / "zygote.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            cwd=processes.ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._read()

    def fork(self, actor: str, arguments: list[Any], environment: dict[str, str]) -> "Actor":
        """Start an actor."""
        log = self._folder / f"{next(self._numbers):03}-{actor}.log"
        job = {"actor": actor, "arguments": arguments, "environment": environment, "log": str(log)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Actor(name=actor, pid=self._read()["pid"], log=log)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError((self._folder / "zygote.log").read_text()[-3000:])
        return json.loads(line)

    def stop(self) -> None:
        """End it; its children are ended by their cells."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._errors.close()


@dataclass
class Actor:
    """A forked process of ours."""

    name: str
    pid: int
    log: Path

    def is_alive(self) -> bool:
        return psutil.pid_exists(self.pid)

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would, and see that it is gone."""
        self.send(signal.SIGKILL)
        self.wait()

    def wait(self, limit_s: float = 30.0) -> None:
        """Wait until the process has ended."""
        wait_until(lambda: not self.is_alive(), what=f"the end of {self.name}", limit_s=limit_s)

    def is_stopped(self) -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        return False


def wait_until(condition: Callable[[], Any], *, what: str, limit_s: float = REST_LIMIT_S) -> Any:
    """Poll until `condition` is true; only a failure takes the whole limit."""
    deadline = time.monotonic() + limit_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"no {what} within {limit_s:.0f} s"
        time.sleep(0.05)
    return result


@dataclass
class Cell(Floor):
    """One account of its own, with the means to break what works on it."""

    api_key: str = ""
    data_dir: Path = Path()
    environment: dict[str, str] = field(default_factory=dict)
    zygote: Zygote | None = None
    actors: list[Actor] = field(default_factory=list)
    proxies: list[ChaosProxy] = field(default_factory=list)
    # Findings that the fault itself makes right, by the start of their subject.
    expected_findings: tuple[str, ...] = ()

    def start(self, actor: str, *arguments: Any, **environment: str) -> Actor:
        """Fork an actor that works on this account."""
        assert self.zygote is not None
        started = self.zygote.fork(actor, list(arguments), {**self.environment, **environment})
        self.actors.append(started)
        return started

    def guard(self, **environment: str) -> Actor:
        """Start a guardian."""
        return self.start("guard", "--interval", "0.1", **environment)

    def ready_guard(self, **environment: str) -> Actor:
        """Start a guardian and wait until its first comparison is done."""
        close_gate(account_id=self.account.pk)
        guard = self.guard(**environment)
        self.wait_ready()
        return guard

    def wait_ready(self) -> None:
        """Wait until orders may leave."""
        accounts = Account.objects.filter(pk=self.account.pk, ready_at__isnull=False)
        wait_until(accounts.exists, what="READY")

    def run(self, actor: str, *arguments: Any, **environment: str) -> Actor:
        """Fork an actor and wait for its end."""
        started = self.start(actor, *arguments, **environment)
        started.wait()
        return started

    def proxy(self, port: int) -> ChaosProxy:
        """Put a proxy before a port of this machine."""
        self.proxies.append(ChaosProxy(port))
        return self.proxies[-1]

    def fault(
        self, name: str, *, method: str = "POST", path: str = "/api/v3/order", **more
    ) -> None:
        """Have the exchange misbehave at the next such request."""
        rule = {"match": {"method": method, "path": path}, "fault": name, "times": 1, **more}
        self.call("POST", "/_sim/faults", [rule])

    def ledger(self) -> dict[str, Any]:
        """Return what the exchange holds for true, of this account alone."""
        whole = self.call("GET", "/_sim/ledger")
        own = next(a["account"] for a in whole["accounts"] if a["key"] == self.api_key)
        return {
            kind: [row for row in whole[kind] if row["account"] == own]
            for kind in ("orders", "trades")
        } | {"requests": whole["requests"]}

    def posts(self, name: str) -> list[dict[str, Any]]:
        """Return the requests to place the order of this name that reached the exchange."""
        return [
            row
            for row in self.ledger()["requests"]
            if row["method"] == "POST" and row["client_order_id"] == name
        ]

    def rest(
        self, symbol: str = "BTCUSDT", share: str = "0.985", *, has_bracket: bool = False
    ) -> Order:
        """Place a limit buy below the market, maybe with its stop and target 5 % away."""
        rules = get_rules_by_symbol(symbol)
        price = rules.quantize_price(self.quote(symbol) * D(share), "BUY")
        bracket = {
            "stop_loss_price": rules.quantize_price(price * D("0.95"), "SELL"),
            "take_profit_price": rules.quantize_price(price * D("1.05"), "SELL"),
        }
        return self.by_hand(
            symbol=symbol,
            type=OrderType.LIMIT,
            quantity=rules.quantize_quantity(D("500") / price),
            price=price,
            time_in_force=TimeInForce.GTC,
            **(bracket if has_bracket else {}),
        )

    def by_hand(self, *, key: str = "", **wanted: Any) -> Order:
        return place_manual_order(
            account_id=self.account.pk,
            wanted=ManualOrder(**{"side": Side.BUY, **wanted}),
            idempotency_key=key or uuid.uuid4().hex,
            actor="tester",
            broker=self.broker,
            clock=self.clock,
        )

    def raise_level(self, level: Level, **options: Any) -> None:
        raise_level(level=level, reason="the cell", actor="tester", now=self.clock.now(), **options)

    def check(self, looks: int = 1) -> WorldReport:
        """Check every invariant against the exchange's own ledger."""
        since = self.account.opened_at or self.account.created_at
        return check_world(
            account_id=self.account.pk,
            read_truth=lambda: read_sim_ledger(self.url, api_key=self.api_key, since=since),
            clock=self.clock,
            pause=time.sleep,
            looks=looks,
        )

    def come_to_rest(self) -> None:
        """Wait until nothing is in doubt, every kill is confirmed and every invariant holds."""
        last: list[str] = []

        def is_at_rest() -> bool:
            doubtful = Order.objects.filter(state__in=_IN_DOUBT, parent__isnull=True)
            last[:] = [f"order {row.pk} {row.leg} is {row.state}" for row in doubtful]
            last.extend(self._unconfirmed())
            last.extend(
                f"{invariant.name} {finding.subject}: {finding.problem}"
                for invariant, finding in self.check().findings
                if not finding.subject.startswith(self.expected_findings or ("-",))
            )
            return not last

        try:
            wait_until(is_at_rest, what="rest")
        except AssertionError:
            raise AssertionError("\n".join(["not at rest:", *last])) from None

    def story(self) -> str:
        """Return what the orders and the processes say, for whoever looks for the cause."""
        rows = Order.objects.filter(parent__isnull=True).order_by("pk")
        lines = [f"order {o.pk} {o.leg} {o.side} {o.type} {o.state} {o.reason}" for o in rows]
        lines += [f"--- {actor.log.name}\n{actor.output()[-3000:]}" for actor in self.actors]
        return "\n".join([*lines, ""])

    def _unconfirmed(self) -> list[str]:
        """Return the kills that the exchange has not confirmed yet."""
        raised = read_states().raised(Level.CANCEL)
        subjects = [
            confirmation_subject(account_id=self.account.pk, scope=scope, epoch=view.epoch)
            for scope, view in raised.items()
        ]
        found = AuditRecord.objects.filter(action=CONFIRMED, subject__in=subjects)
        confirmed = set(found.values_list("subject", flat=True))
        return [f"{subject} is not confirmed" for subject in subjects if subject not in confirmed]

    def entry(self) -> Order:
        return Order.objects.get(leg="ENTRY")

    def position(self) -> Position:
        return Position.objects.get()

    def pairs(self) -> list[str]:
        """Return the states of the protective pairs, oldest first."""
        rows = Order.objects.filter(leg="PROTECT").order_by("pk")
        return list(rows.values_list("state", flat=True))


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[processes.SimExchange]:
    """Run one local exchange for all cells; each has an account of its own."""
    folder = tmp_path_factory.mktemp("exchange")
    # One address for all cells: the weight of them all together is none of a cell's business.
    options = ("--generate", "--symbols", ",".join(SYMBOLS), "--weight-limit", "1000000")
    with processes.sim_exchange(*options, folder=folder, environment=os.environ) as running:
        yield running


@pytest.fixture(scope="session")
def zygote(
    django_db_setup: None, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Zygote]:
    folder = tmp_path_factory.mktemp("actors")
    environment = environment_of_children(redis_url=redis_url, data_dir=folder / "var")
    running = Zygote(
        {**environment, "TRADING_MODE": "demo", "LOG_LEVEL": "WARNING", "WEIGHT_LIMIT": "1000000"},
        folder,
    )
    yield running
    running.stop()


@pytest.fixture
def cell(transactional_db: None, exchange: processes.SimExchange, zygote: Zygote) -> Iterator[Cell]:
    """Open an account for one cell; at its end the world must come to rest, sound."""
    name = f"cell-{uuid.uuid4().hex[:12]}"
    own = dataclasses.replace(exchange, key=f"{name}-key", secret=f"{name}-secret")
    _open_account(exchange, own)
    floor = build_floor(own, name=name, patience=PATIENCE)
    RiskLimits.objects.update(max_positions=100, max_open_orders=200, max_position_size=D("500000"))
    clock = floor.clock
    cell = Cell(
        **{item.name: getattr(floor, item.name) for item in dataclasses.fields(Floor)},
        api_key=own.key,
        zygote=zygote,
        data_dir=zygote.data_dir,
        environment={
            "ACCOUNT_NAME": name,
            "SIM_URL": exchange.url,
            "BINANCE_API_KEY": own.key,
            "BINANCE_API_SECRET": own.secret,
            "CLOCK": f"{clock.origin_wall_ms}:{clock.origin_market_ms}:{clock.speed}:{PATIENCE}",
            "CRASHPOINT": "",
        },
    )
    try:
        yield cell
        cell.come_to_rest()
    finally:
        sys.stdout.write(cell.story())  # shown when the cell fails
        for actor in cell.actors:
            actor.send(signal.SIGCONT)
            actor.kill()
        for proxy in cell.proxies:
            proxy.close()
        cell.call("DELETE", "/_sim/faults")


@pytest.fixture
def memory(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Memory:
    """Open an account on an exchange in this process, on a clock that tests move by hand."""
    wire, reaper = Wire(), Reaper()
    monkeypatch.setattr(HTTPAdapter, "send", wire.send)
    monkeypatch.setattr(crashpoints, "os", reaper)
    settings.CRASHPOINT = ""  # taken back by the fixture, whatever the reaper sets
    return Memory(open_memory_floor(wire, HandClock()), wire, reaper)


def _open_account(exchange: processes.SimExchange, own: processes.SimExchange) -> None:
    import urllib.request

    body = json.dumps({"key": own.key, "secret": own.secret, "balances": BALANCES}).encode()
    request = urllib.request.Request(f"{exchange.url}/_sim/account", body, method="POST")
    urllib.request.urlopen(request, timeout=10).close()
