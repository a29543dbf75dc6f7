"""The load generator against a real server."""

import itertools
import os
import sys
from collections.abc import Callable

import pytest

from bench import load
from tests import processes

REQUEST = b"POST /order HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def port(start_process: Callable[..., processes.Child]) -> int:
    found = processes.free_port()
    child = start_process(
        "stub", [sys.executable, "-m", "bench.stub", str(found)], dict(os.environ)
    )
    child.wait_until(lambda: processes.accepts(found), timeout_s=20, waiting_for="its port")
    return found


def test_it_keeps_connections_busy(port: int) -> None:
    found = load.run_closed(lambda: REQUEST, port=port, connections=4, seconds=0.2)

    assert found.errors == 0
    assert len(found.latencies_ms) == found.statuses[200] >= 4
    assert found.per_s > 0


def test_it_sends_exactly_what_is_asked_at_a_pace(port: int) -> None:
    numbers = itertools.count()

    def make() -> bytes:
        next(numbers)
        return REQUEST

    found = load.run_paced(make, port=port, per_s=500, count=40)

    assert found.statuses == {200: 40}
    assert next(numbers) == 40
    assert found.median_ms() <= found.p99_ms()
