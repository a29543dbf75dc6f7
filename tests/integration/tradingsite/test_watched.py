"""A worker under ``supervisor.watched``, as a container or a Procfile runs it."""

import os
import signal
import sys

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


def test_it_says_how_it_is_called_when_no_queue_is_named(start_process):
    watched = start_process("watched", [sys.executable, "-m", "tradingsite.supervisor.watched"])

    assert watched.process.wait(60) == 1
    assert "usage" in watched.output()
