"""The local exchange that tests talk to is a process of its own that leaves nothing behind."""

import importlib.util
import json
import os
import urllib.request

import pytest

from tests import processes

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("simexchange.__main__") is None,
    reason="simexchange cannot be started yet",
)


def test_it_answers_on_the_port_that_it_announced(sim_exchange):
    with urllib.request.urlopen(f"{sim_exchange.url}/_sim/clock", timeout=5) as reply:
        clock = json.load(reply)

    assert clock["now_ms"] > 0
    assert sim_exchange.key
    assert sim_exchange.secret


def test_it_ends_with_its_block(tmp_path):
    with processes.sim_exchange("--generate", folder=tmp_path, environment=os.environ) as running:
        assert running.child.process.poll() is None

    assert running.child.process.returncode is not None
    assert not processes.accepts(running.port)


def test_it_tells_why_the_exchange_did_not_start(tmp_path):
    with (
        pytest.raises(processes.StartFailed, match="--no-such-option"),
        processes.sim_exchange("--no-such-option", folder=tmp_path, environment=os.environ),
    ):
        pass
