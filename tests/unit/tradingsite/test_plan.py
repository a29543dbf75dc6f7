from pathlib import Path

import pytest

from core.errors import NeedsOperator
from execution.management.commands import guard, stream_user_data
from tradingsite.management.commands import stream_market_data
from tradingsite.supervisor import plan
from tradingsite.supervisor.state import DeskState


def test_a_redis_server_on_the_path_is_used_before_the_bundled_one(
    tmp_path: Path, monkeypatch
) -> None:
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    state = DeskState(broker_port=6399)

    monkeypatch.setenv("PATH", str(tmp_path))
    of_the_machine = plan.broker(state, data_dir=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    bundled = plan.broker(state, data_dir=tmp_path)

    assert of_the_machine.argv[0] == str(server)
    assert Path(bundled.argv[0]).name.startswith("valkey")
    assert of_the_machine.argv[1:] == bundled.argv[1:]


@pytest.mark.parametrize("command", [guard, stream_user_data, stream_market_data])
def test_what_shows_a_pulse_is_judged_by_it(command) -> None:
    name = command.__name__.rpartition(".")[2]

    duty = plan.duty_of(("python", "manage.py", name, "--some", "option"))

    assert duty is not None
    assert (duty.pulse, duty.queue) == (command.PULSE, "")
    assert duty.lapse == "ended no round"


def test_a_worker_is_judged_by_its_queue() -> None:
    duty = plan.duty_of(("celery", "-A", "tradingsite", "worker", "-Q", "pipeline.3"))

    assert duty is not None
    assert (duty.queue, duty.pulse) == ("pipeline.3", "")
    assert duty.lapse == "took nothing from its queue pipeline.3"


@pytest.mark.parametrize("argv", [("celery", "-Q"), ("celery", "-Q", "mail"), ("sh", "-c", "true")])
def test_what_has_no_duty_cannot_be_watched(argv) -> None:
    assert plan.duty_of(argv) is None
    with pytest.raises(NeedsOperator, match="one of guard, stream_user_data, stream_market_data"):
        plan.watched(argv, stop_timeout_s=1)
