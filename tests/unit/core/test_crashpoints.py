"""Crash points: the thread that reaches one goes no further, and goes on from there."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

_PROGRAM = """
import sys, threading
from django.conf import settings

settings.configure(CRASHPOINT=sys.argv[1])
from core.crashpoints import crashpoint

def work():
    print("before", flush=True)
    crashpoint("here")
    print("after", flush=True)

worker = threading.Thread(target=work)
worker.start()
worker.join()
"""
_MANY = 12  # at once, so that each has to wait for a processor


@dataclass(frozen=True)
class _Program:
    process: subprocess.Popen[bytes]
    output: Path

    def is_stopped(self) -> bool:
        assert self.process.poll() is None, "ended instead of stopping"
        return psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED


@pytest.fixture
def start(tmp_path):
    started: list[_Program] = []

    def start_one(wanted: str) -> _Program:
        output = tmp_path / str(len(started))
        with output.open("wb") as file:
            process = subprocess.Popen([sys.executable, "-c", _PROGRAM, wanted], stdout=file)
        started.append(_Program(process, output))
        return started[-1]

    yield start_one
    for program in started:
        program.process.kill()
        program.process.wait()


def test_a_stopped_process_is_stopped_at_the_place_not_soon_after(start):
    for program in [start("stop:here") for _ in range(_MANY)]:
        while not program.is_stopped():
            pass
        assert program.output.read_text() == "before\n"

        program.process.send_signal(signal.SIGCONT)

        assert program.process.wait() == 0
        assert program.output.read_text() == "before\nafter\n"


def test_a_killed_process_goes_no_further(start):
    program = start("here")

    assert program.process.wait() == -signal.SIGKILL
    assert program.output.read_text() == "before\n"


def test_another_place_is_passed(start):
    program = start("stop:there")

    assert program.process.wait() == 0
    assert program.output.read_text() == "before\nafter\n"
