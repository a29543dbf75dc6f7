"""A desk is recorded while its processes are killed, and replayed: the same to the last digit."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.recording.journal import read_files, to_line
from tests.functional.desk import Desk, running_desk

pytestmark = pytest.mark.timeout(600)
CHECKSUM = len("01234567 ")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk that traded, lost three of its processes, and was stopped."""
    folder = tmp_path_factory.mktemp("recorded") / "var"
    with running_desk(folder, SIM_SPEED="150", RECORD_SESSIONS="true") as desk:
        desk.wait(lambda: desk.get("/trades?limit=5")["results"], limit_s=240, what="a fill")
        for name, is_busy in (("worker.orders", False), ("worker.pipeline", True), ("guard", True)):
            kill(desk, name, in_a_step=is_busy)
            newest = desk.get("/decisions?limit=1")["results"][0]["id"]
            desk.wait(
                lambda newest=newest: (
                    desk.get("/decisions?limit=1")["results"][0]["id"] > newest + 14
                ),
                limit_s=90,
                what="two more closes",
            )
        for command in (("halt", "--level", "REDUCE_ONLY"), ("rearm",)):
            done = desk.manage(*command, "--reason", "a look")
            assert done.returncode == 0, done.stderr
        os.kill(desk.child.process.pid, signal.SIGINT)
        desk.child.process.wait(60)
        yield desk


def kill(desk: Desk, name: str, *, in_a_step: bool) -> None:
    """Kill a process, if need be when it has begun a step and not ended it.

    While it is looked at it is stopped, so that it cannot end its step meanwhile.
    """
    victim = desk.process_named(name)
    assert victim is not None
    journal = session_of(desk) / f"{name}-{victim.pid}-00000.jsonl"

    def is_caught() -> bool:
        victim.suspend()
        lines = journal.read_bytes().splitlines() if journal.exists() else []
        if lines and not lines[-1].startswith(b'{"t":"end"', CHECKSUM):
            return True
        victim.resume()
        return False

    if in_a_step:
        desk.wait(is_caught, limit_s=90, what=f"{name} in the middle of a step")
    victim.kill()


def session_of(desk: Desk) -> Path:
    (folder,) = (desk.data_dir / "recordings").iterdir()
    return folder


def test_the_replay_gives_the_same_decisions_intents_and_ledger(recorded: Desk) -> None:
    done = recorded.manage("replay_session", limit_s=400)

    assert "IDENTICAL" in done.stdout, done.stdout + done.stderr
    verdict = json.loads((session_of(recorded) / "verdict.json").read_text())
    assert verdict["is_identical"]
    assert verdict["rows"] > 50
    assert verdict["frames"] > 50


def test_the_recording_holds_no_secret(recorded: Desk) -> None:
    state = json.loads((recorded.data_dir / "desk.json").read_text())
    secrets = [value for name, value in state.items() if "secret" in name or name == "sim_key"]
    texts = [path.read_text() for path in session_of(recorded).glob("*.jsonl")]

    assert secrets
    assert texts
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_the_invariant_of_the_replay_is_checked(recorded: Desk) -> None:
    done = recorded.manage("check_world", "--offline")

    line = next(line for line in done.stdout.splitlines() if line.startswith("I16"))
    assert "holds" in line


def test_a_digit_changed_in_the_recording_is_named(recorded: Desk) -> None:
    folder = session_of(recorded)
    name, records, _ = next(item for item in read_files(folder) if "stream-market" in item[0])
    candle = next(
        record
        for record in records
        if record.get("k") == "market frame" and record["v"]["data"].get("k", {}).get("x")
    )
    kline = candle["v"]["data"]["k"]
    kline["v"] = format(float(kline["v"]) + 1, ".8f")
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(b"".join(to_line(record) for record in records))

    done = recorded.manage("replay_session", limit_s=400)
    path.write_bytes(whole.replace(b'"x":true', b'"x":null', 1))
    damaged = recorded.manage("replay_session", limit_s=400)
    path.write_bytes(whole)

    assert done.returncode == 1
    assert "DIFFERENT" in done.stdout
    assert "MESSAGE" in done.stdout
    assert "pipeline.ingest" in done.stdout
    assert kline["v"].rstrip("0").rstrip(".") in done.stdout
    assert damaged.returncode == 1
    assert "not as it was written" in damaged.stderr
