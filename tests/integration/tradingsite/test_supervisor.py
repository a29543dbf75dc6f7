"""The supervisor with real processes: the order in which they end."""

import sys
import time
from pathlib import Path

import pytest

from core.errors import NeedsOperator
from tradingsite.supervisor.launching import ProcessSpec
from tradingsite.supervisor.runner import Supervisor

# Says when it ends, after a moment in which its neighbours are asked too, or not.
PROGRAM = """
import signal, sys, time
def end(*_):
    print("asked", sys.argv[1], flush=True)
    time.sleep(0.3)
    print("ended", sys.argv[1], flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("up", sys.argv[1], flush=True)
time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    return Supervisor(log_dir=tmp_path / "log", say=lambda _: None)


def spec(name: str, log: Path, *, stops_alone: bool) -> ProcessSpec:
    text = PROGRAM.replace("flush=True", f"file=open({str(log)!r}, 'a'), flush=True")
    return ProcessSpec(name=name, argv=(sys.executable, "-c", text, name), stops_alone=stops_alone)


def test_it_ends_in_reverse_order_and_some_together(supervisor, tmp_path):
    log = tmp_path / "said"
    log.touch()
    for name in ("broker", "guard", "web", "beat"):
        supervisor.start(spec(name, log, stops_alone=name in ("broker", "guard")))
    deadline = time.monotonic() + 60
    while log.read_text().count("up") < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)

    supervisor.stop()

    said = log.read_text().split("\n")[4:-1]
    assert sorted(said[:2]) == ["asked beat", "asked web"]
    assert sorted(said[2:4]) == ["ended beat", "ended web"]
    assert said[4:] == ["asked guard", "ended guard", "asked broker", "ended broker"]


def test_it_starts_again_what_falls(supervisor, tmp_path):
    log = tmp_path / "said"
    log.touch()
    child = supervisor.start(ProcessSpec(name="short", argv=("sh", "-c", f"echo up >> {log}")))
    deadline = time.monotonic() + 60

    while child.restarts < 1 or log.read_text().count("up") < 2:
        child.revive()
        assert time.monotonic() < deadline
        time.sleep(0.02)

    supervisor.stop()


def test_it_shows_the_last_lines_of_what_does_not_come_up(supervisor):
    child = supervisor.start(ProcessSpec(name="ill", argv=("sh", "-c", "echo no such market")))

    with pytest.raises(NeedsOperator, match="no such market"):
        supervisor.wait_until(lambda: False, what="The exchange", child=child, limit_s=60)
