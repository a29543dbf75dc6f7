from pathlib import Path

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
