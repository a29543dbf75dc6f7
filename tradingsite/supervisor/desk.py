"""A whole trading desk on this machine: what `manage.py trade` runs."""

import fcntl
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from core.errors import NeedsOperator
from tradingsite.settings.env import DESK_FILE, DESK_LOCK, text
from tradingsite.supervisor import plan
from tradingsite.supervisor.child import Child
from tradingsite.supervisor.market import DemoMarket
from tradingsite.supervisor.probes import BrokerLine, answers_ping, get
from tradingsite.supervisor.runner import Say, Supervisor
from tradingsite.supervisor.state import DeskState, require_free, write_private

_MIN_FREE_BYTES = 300 * 1024 * 1024


class Desk:
    """Brings the processes up step by step and hands each what it must know.

    Args:
        data_dir: Everything that is kept lies below it.
        port: Of the web server.
        say: Prints one line for the person in front of the terminal.
    """

    def __init__(self, *, data_dir: Path, port: int, say: Say) -> None:
        self._data_dir = data_dir
        self._port = port
        self._say = say
        self._lock: IO[str] | None = None
        data_dir.mkdir(parents=True, exist_ok=True)
        self._claim_folder()
        self._require_disk()
        self.state = DeskState.load(data_dir / "desk.json")
        self._supervisor = Supervisor(log_dir=data_dir / "log", say=say)
        self._supervisor.handle_signals()

    def share(self, **variables: str) -> None:
        """Put variables into the environment of every process started from now on.

        Commands in other terminals find them in a file that only the owner can read.
        """
        self._supervisor.environment.update(variables)
        lines = [f"{name}='{value}'" for name, value in self._supervisor.environment.items()]
        write_private(self._data_dir / DESK_FILE, "\n".join(lines) + "\n")

    def prepare_forks(self) -> None:
        """Start importing what our processes share, beside broker and exchange."""
        self._supervisor.prepare_forks()

    def start_broker(self) -> None:
        """Start the bundled broker."""
        state = self.state
        url = f"redis://:{state.broker_password}@127.0.0.1:{state.broker_port}/0"
        require_free(state.broker_port, variable="REDIS_URL")
        child = self._supervisor.start(plan.broker(state, data_dir=self._data_dir))
        self.share(REDIS_URL=url)
        self._supervisor.wait_until(
            lambda: answers_ping(state.broker_port, password=state.broker_password),
            what="The broker",
            child=child,
            limit_s=15,
        )

    def start_exchange(self, market: DemoMarket, *, port: int) -> None:
        """Start the local exchange and take over its clock and its keys."""
        require_free(port, variable="SIM_PORT")
        state, url = self.state, f"http://127.0.0.1:{port}"
        spec = plan.exchange(state, port=port, data_dir=self._data_dir, market=market)
        child = self._supervisor.start(spec)
        self._supervisor.wait_until(
            lambda: get(port, "/_sim/clock") is not None,
            what="The local exchange",
            child=child,
            limit_s=120,  # a mirror fetches its history first
        )
        clock = _read_clock(port)
        # Started again within this run, the exchange goes on by the same clock.
        again = plan.exchange(state, port=port, data_dir=self._data_dir, market=market, clock=clock)
        self._supervisor.replace(child, again)
        self.share(
            CLOCK=clock,
            SIM_URL=url,
            BINANCE_API_KEY=state.sim_key,
            BINANCE_API_SECRET=state.sim_secret,
        )

    def prepare(self, *arguments: str) -> None:
        """Run ``manage.py prepare_desk``: schema, accounts, candles, the first model."""
        if self._supervisor.run_to_end(plan.preparation(*arguments)):
            raise NeedsOperator("The preparation failed; the lines above say why.")

    def record(self, what: str, folder: str) -> None:
        """Run ``manage.py record_session``: keep what the session begins with, or came to."""
        if self._supervisor.run_to_end(plan.recording(what, folder)):
            raise NeedsOperator("The session cannot be recorded; the lines above say why.")

    def start_system(self, *, with_web: bool) -> None:
        """Start our own processes and wait until each is at work."""
        if with_web:
            require_free(self._port, variable="PORT")
        children = {
            spec.name: self._supervisor.start(spec)
            for spec in plan.system(port=self._port, with_web=with_web)
        }
        if with_web:
            self._wait_web(children["web"])
        self._supervisor.watch(
            broker=broker_line(self._supervisor.environment), data_dir=self._data_dir
        )

    def run(self) -> None:
        """Stay until Ctrl-C or SIGTERM."""
        self._supervisor.run()

    def stop(self, *, record_into: str = "") -> None:
        """End every process and give the folder free; keep what a recorded session came to."""
        self._supervisor.stop()
        if record_into and (Path(record_into) / "session.json").exists():
            self._supervisor.run_last(plan.recording("end", record_into))
        (self._data_dir / DESK_FILE).unlink(missing_ok=True)
        if self._lock:
            self._lock.close()

    def _wait_web(self, web: Child) -> None:
        self._supervisor.wait_until(
            lambda: get(self._port, "/readyz") is not None,
            what="The web server",
            child=web,
            limit_s=60,
        )

    def _claim_folder(self) -> None:
        self._lock = (self._data_dir / DESK_LOCK).open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NeedsOperator(
                f"Another desk runs in {self._data_dir}. Stop it, or choose another folder: "
                "DATA_DIR=var2 PORT=8001 SIM_PORT=9444 make demo"
            ) from error

    def _require_disk(self) -> None:
        free = shutil.disk_usage(self._data_dir).free
        if free < _MIN_FREE_BYTES:
            raise NeedsOperator(
                f"Only {free // 2**20} MB are free below {self._data_dir}; "
                f"{_MIN_FREE_BYTES // 2**20} MB are needed. Free some, or set DATA_DIR."
            )


def broker_line(environment: Mapping[str, str]) -> BrokerLine:
    """Return a line to the broker that our processes use.

    Args:
        environment: What they find beside this process's own.
    """
    url = environment.get("REDIS_URL") or text("REDIS_URL")
    return BrokerLine(url, prefix=text("REDIS_PREFIX", "trading:"))


def _read_clock(port: int) -> str:
    """Return the exchange's clock in the form of the ``CLOCK`` setting."""
    told = json.loads(get(port, "/_sim/clock") or b"{}")
    return f"{round(told['origin_wall_ms'])}:{round(told['origin_sim_ms'])}:{told['speed']}"
