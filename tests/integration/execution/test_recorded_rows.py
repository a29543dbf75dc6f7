"""The rows that a replay must give again, and the first that it does not."""

import json
from decimal import Decimal

import pytest

from core.errors import NotFound
from core.recording.recorder import MANIFEST
from execution.domain.invariants import Invariant
from execution.models import Balance, Position
from execution.services.orders import place_orders
from execution.services.world.rows import Beside, ReplayedSession
from tradingsite.recording import dumps, sessions

D = Decimal


@pytest.fixture
def traded(world):
    place_orders(decision_ids=[world.decide("BTCUSDT").pk], broker=world.broker, clock=world.clock)
    return world


def test_the_same_rows_are_the_same(traded, tmp_path):
    count = dumps.write(tmp_path / "end.gz")

    assert dumps.compare(dumps.read(tmp_path / "end.gz"), dumps.list_lines()) == (count, None)
    assert {json.loads(line)[0] for line in dumps.list_lines()} >= {
        *("Decision", "Order", "SubmitAttempt", "Fill", "LedgerEntry", "Position", "Balance"),
    }


def test_one_digit_is_named_with_table_key_and_column(traded, tmp_path):
    dumps.write(tmp_path / "end.gz")
    position = Position.objects.get()
    Position.objects.update(cost_quote=position.cost_quote + D("1e-18"))

    _, first = dumps.compare(dumps.read(tmp_path / "end.gz"), dumps.list_lines())

    assert (first.table, first.row, first.column) == ("Position", str(position.pk), "cost_quote")
    assert D(first.replayed) - D(first.recorded) == D("1e-18")
    Position.objects.update(cost_quote=position.cost_quote)


@pytest.mark.parametrize("side", ["more", "fewer"])
def test_a_row_too_many_or_too_few_is_named(traded, tmp_path, side):
    lines = list(dumps.list_lines())
    shorter = [line for line in lines if not line.startswith('["Balance"')]

    pair = (shorter, lines) if side == "more" else (lines, shorter)
    _, first = dumps.compare(iter(pair[0]), iter(pair[1]))

    assert first.table in ("Balance", "Reconciliation")
    assert Balance.objects.exists()


def test_a_folder_without_a_session_is_refused(tmp_path):
    with pytest.raises(NotFound, match="holds no recorded session"):
        sessions.read_manifest(tmp_path)
    (tmp_path / MANIFEST).write_text('{"format": 99}')
    with pytest.raises(NotFound, match="format 99"):
        sessions.read_manifest(tmp_path)


def test_old_recordings_make_room_for_the_new_one(tmp_path):
    for day in ("01", "02", "03"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "file").write_bytes(b"x" * 1000)

    sessions._make_room(tmp_path, limit_bytes=3000, but=tmp_path / "03")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["03"]


def test_the_invariant_says_what_the_replay_came_to(traded):
    def answer(replay):
        report = traded.check(only=[Invariant.I16], beside=Beside(replay=replay))
        return report.answers[Invariant.I16]

    first = {"kind": "ROW", "where": "Order 7 price", "recorded": "1", "replayed": "2"}
    bad = {"rows": 5, "first_difference": first}
    good = {"rows": 70, "first_difference": None}

    assert "RECORD_SESSIONS" in answer(None).not_checked
    assert "replay_session today" in answer(ReplayedSession(name="today", verdict=None)).not_checked
    assert answer(ReplayedSession(name="today", verdict=good)).compared == 70
    (finding,) = answer(ReplayedSession(name="today", verdict=bad)).findings
    assert finding.subject == "today: Order 7 price"
    assert finding.problem == "ROW: recorded 1, replayed 2"
