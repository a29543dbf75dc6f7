"""A process under ``supervisor.watched``, as a container or a Procfile runs it."""

import os
import signal
import sys
import time

import psutil


def test_it_runs_the_worker_starts_it_again_and_ends_with_it(start_process):
    program = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0", "ENV_FILE": ""}
    watched = start_process(
        "watched",
        [sys.executable, "-m", "tradingsite.supervisor.watched", *program, "-Q", "orders"],
        environment,
    )
    watched.wait_until(lambda: "up" in watched.output(), timeout_s=60, waiting_for="its worker")
    (worker,) = psutil.Process(watched.process.pid).children()

    worker.kill()
    watched.wait_until(
        lambda: watched.output().count("up") == 2, timeout_s=60, waiting_for="another worker"
    )
    (successor,) = psutil.Process(watched.process.pid).children()
    watched.process.send_signal(signal.SIGTERM)

    assert watched.process.wait(60) == 0
    assert psutil.wait_procs([successor], timeout=60)[1] == []


def test_a_guardian_gets_its_signal_as_soon_as_it_can_take_it(start_process, tmp_path):
    guardian = """
import os, signal, sys, time
from pathlib import Path
from core.pulse import Pulse
folder = Path(sys.argv[2])
print("starts", flush=True)
while not (folder / "go").exists():
    time.sleep(0.02)
signal.signal(signal.SIGUSR1, lambda *_: print("obeys", flush=True))
pulse = Pulse(folder, "guard")
while True:
    pulse.beat()
    time.sleep(0.02)
"""
    environment = {**os.environ, "DATA_DIR": str(tmp_path), "ENV_FILE": ""}
    watched = start_process(
        "watched",
        [
            *(sys.executable, "-m", "tradingsite.supervisor.watched"),
            *(sys.executable, "-c", guardian, "guard", str(tmp_path)),
        ],
        {**environment, "REDIS_URL": "redis://127.0.0.1:1/0"},
    )
    watched.wait_until(lambda: "starts" in watched.output(), timeout_s=60, waiting_for="guardian")

    watched.process.send_signal(signal.SIGUSR1)  # it would end one that does not listen yet
    time.sleep(1)
    (tmp_path / "go").touch()

    watched.wait_until(lambda: "obeys" in watched.output(), timeout_s=60, waiting_for="signal")
    assert watched.output().count("starts") == 1
    watched.process.send_signal(signal.SIGTERM)
    assert watched.process.wait(60) == 0


def test_it_says_how_it_is_called_when_there_is_nothing_to_watch(start_process):
    watched = start_process("watched", [sys.executable, "-m", "tradingsite.supervisor.watched"])

    assert watched.process.wait(60) == 1
    assert "usage" in watched.output()
    assert "stream_user_data" in watched.output()
