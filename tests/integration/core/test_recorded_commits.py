"""A killed step's open transaction is gone when it is replayed, as it was when it was killed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from alerts.models import Alert
from alerts.services.raising import raise_alert
from core.recording import hooks, tape
from core.recording.player import Player, load
from core.recording.recorder import MANIFEST, Recorder

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / MANIFEST).write_text("{}")
    connection.close()  # a connection that opens now is watched
    hooks.watch_connections()
    yield tmp_path
    tape.use(None)
    connection.close()


def work() -> None:
    for number in (1, 2):
        with transaction.atomic():
            tape.told("clock", lambda: 7)
            Group.objects.create(name=f"group {number}")


def recorded_up_to(folder: Path, kind: str, *, count: int) -> list:
    """Record `work`, cut its tape behind the `count`-th line of `kind`; return its steps."""
    tape.use(Recorder(folder, name=lambda: "test", limit_bytes=10**9))
    with tape.step("a", {}):
        work()
    tape.use(None)
    (path,) = folder.glob("test-*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    places = [n for n, line in enumerate(lines) if f'"k":"{kind}"'.encode() in line]
    path.write_bytes(b"".join(lines[: places[count - 1] + 1]))
    Group.objects.all().delete()
    return load(folder).steps


@pytest.mark.parametrize(
    ("kind", "count", "is_lost", "kept"),
    [
        ("clock", 1, False, []),
        ("clock", 2, False, ["group 1"]),
        ("commit", 1, False, ["group 1"]),
        ("commit", 1, True, []),
        ("commit", 2, True, ["group 1"]),
        ("committed", 1, False, ["group 1"]),
        ("committed", 2, False, ["group 1", "group 2"]),
    ],
)
def test_what_was_not_committed_is_not_there(folder, kind, count, is_lost, kept) -> None:
    (step,) = recorded_up_to(folder, kind, count=count)
    player = Player([step], lost=[step.step_id] if is_lost else ())
    tape.use(player)

    player.run(step, work)

    tape.use(None)
    assert player.divergence is None
    assert not connection.in_atomic_block
    assert list(Group.objects.order_by("pk").values_list("name", flat=True)) == kept


def test_an_alert_is_no_part_of_the_step(folder) -> None:
    def alert() -> None:
        raise_alert(
            code="LATE",
            severity="ERROR",
            message="late",
            context={},
            now=datetime(2026, 3, 1, tzinfo=UTC),
        )

    alert()  # somebody else, who is not recorded, was first: the step's only counts
    tape.use(Recorder(folder, name=lambda: "test", limit_bytes=10**9))
    with tape.step("a", {}):
        alert()
    (step,) = load(folder).steps
    assert [event["k"] for event in step.segments[0].events] == ["alert"]
    assert Alert.objects.get().count == 2
    Alert.objects.all().delete()
    player = Player([step])
    tape.use(player)

    player.run(step, alert)

    assert player.divergence is None
    assert not Alert.objects.exists()
