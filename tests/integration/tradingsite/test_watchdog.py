"""The watchdog over real processes, on a broker that is told by hand what waits."""

import re
import sys
import time
from pathlib import Path

import psutil
import pytest

from core import pulse
from tradingsite.supervisor import watchdog as watchdogs
from tradingsite.supervisor.child import Child
from tradingsite.supervisor.launching import Duty, Process, ProcessSpec, execute
from tradingsite.supervisor.watchdog import Watchdog

SLEEPS = "import time\ntime.sleep(600)"
COMPUTES = "while True: pass"
# Shows a pulse as long as a file `well` lies there; then it hangs.
BEATS = """
import sys, time
from pathlib import Path
from core.pulse import Pulse
folder = Path(sys.argv[1])
pulse = Pulse(folder, "guard")
while True:
    if (folder / "well").exists():
        pulse.beat()
    time.sleep(0.02)
"""
WAITS = Duty(queue="train", patience_s=0.5)
MAY_COMPUTE = Duty(queue="train", patience_s=0.5, may_compute=True)
# A starved process must not be taken for one that hangs.
SHOWS_PULSE = Duty(pulse="guard", patience_s=2.0)


class Queue:
    """What a broker would answer: a message that stays, None for no answer."""

    waiting: bytes | None = b"message"

    def oldest(self, _queue: str) -> bytes:
        if self.waiting is None:
            raise OSError("no broker")
        return self.waiting

    def close(self) -> None:
        return


class Desk:
    """One process, its watchdog, and the programs that it asked for."""

    def __init__(self, folder: Path, program: str, duty: Duty) -> None:
        self.queue = Queue()
        self.said: list[str] = []
        self.asked: list[ProcessSpec] = []
        self.started: list[Process] = []
        self.status = 0
        argv = (sys.executable, "-c", program, str(folder))
        spec = ProcessSpec(name=duty.queue or duty.pulse, argv=argv, duty=duty)
        self.child = Child(spec, log_dir=folder, environment={}, launch=execute)
        self.watchdog = Watchdog(
            broker=self.queue,  # type: ignore[arg-type]
            data_dir=folder,
            say=self.said.append,
            start=self._start,
        )
        self.child.start()

    def _start(self, spec: ProcessSpec):
        self.asked.append(spec)
        ends = ProcessSpec(name="record", argv=("sh", "-c", f"exit {self.status}"))
        self.started.append(execute(ends, {}, None))
        return self.started[-1]

    def look_until(self, condition, limit_s: float = 60) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < deadline, self.said
            self.child.revive()
            self.watchdog.look([self.child])
            time.sleep(0.02)

    def look_for(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.look_until(lambda: time.monotonic() > end)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setattr(watchdogs, "_LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watchdogs, "_RETRY_AFTER_S", 0.2)
    made = []

    def make(program: str, duty: Duty = WAITS) -> Desk:
        made.append(Desk(tmp_path, program, duty))
        return made[-1]

    yield make
    for each in made:
        each.child.kill()
        each.child.wait_stopped()
        for process in each.started:
            process.wait()


def test_a_worker_that_restarts_do_not_help_is_left_alone(desk):
    it = desk(SLEEPS)

    it.look_until(lambda: len(it.said) == 4)

    assert it.child.restarts == 3
    assert "did not help" in it.said[-1]
    left = psutil.Process(it.child.pid)
    it.look_until(lambda: len(it.asked) == 4)
    assert left.is_running()
    assert [("--left-alone" in spec.argv) for spec in it.asked] == [False, False, False, True]
    assert it.asked[0].argv[2] == "record_restart"


def test_a_worker_that_computes_is_at_work(desk):
    it = desk(COMPUTES, MAY_COMPUTE)

    it.look_for(2.5)

    assert it.said == []
    assert it.child.restarts == 0


def test_a_worker_that_only_waits_is_not_at_work_though_it_may_compute(desk):
    it = desk(SLEEPS, MAY_COMPUTE)

    it.look_until(lambda: it.child.restarts == 1)


def test_without_the_broker_nothing_is_known_and_nothing_is_done(desk):
    it = desk(SLEEPS)
    it.queue.waiting = None

    it.look_for(1.5)

    assert it.said == []


def test_a_process_is_judged_by_its_pulse_whatever_the_broker_says(desk, tmp_path):
    (tmp_path / "well").touch()
    it = desk(BEATS, SHOWS_PULSE)
    it.queue.waiting = None
    it.look_until(lambda: pulse.read(tmp_path, "guard", pid=it.child.pid))

    it.look_for(3)
    assert it.said == []
    (tmp_path / "well").unlink()
    it.look_until(lambda: it.child.restarts == 1)

    assert re.fullmatch(r"guard ended no round for \d+ s, starting it again", it.said[0])
    # The pulse that lies there is not its own: it is not judged before it shows one.
    it.look_for(3)
    assert it.child.restarts == 1


def test_a_broker_that_is_away_hides_no_pulse(desk, tmp_path):
    it = desk(SLEEPS)
    other = desk(BEATS, SHOWS_PULSE)
    it.queue.waiting = None
    (tmp_path / "well").touch()
    it.look_until(lambda: pulse.read(tmp_path, "guard", pid=other.child.pid))
    (tmp_path / "well").unlink()

    deadline = time.monotonic() + 60
    while not it.said:
        assert time.monotonic() < deadline
        it.watchdog.look([it.child, other.child])
        time.sleep(0.02)

    assert "ended no round" in it.said[0]


def test_a_record_that_cannot_be_written_is_written_later(desk):
    it = desk(SLEEPS)
    it.status = 1
    it.look_until(lambda: len(it.asked) >= 2)
    it.queue.waiting = b""

    it.status = 0
    before = len(it.asked)
    it.look_until(lambda: len(it.asked) > before)

    assert {spec.argv for spec in it.asked[-1:]} <= {spec.argv for spec in it.asked[:before]}
