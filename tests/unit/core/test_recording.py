"""Lines that can be told from torn ones, and steps that run again in their turn."""

import gzip
import os
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from core.recording import calls, tape
from core.recording.journal import STOPPED, Journal, RecordingDamaged, read_files, to_line
from core.recording.player import Diverged, Player, load
from core.recording.recorder import MANIFEST, Recorder


@pytest.fixture(autouse=True)
def _no_tape(monkeypatch):
    for kind in (Recorder, Player):
        monkeypatch.setattr(kind, "is_in_transaction", False)  # without a database
    yield
    tape.use(None)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / MANIFEST).write_text("{}")
    return tmp_path


def record(folder: Path, *, limit_bytes: int = 10**9) -> Recorder:
    recorder = Recorder(folder, name=lambda: "test", limit_bytes=limit_bytes)
    tape.use(recorder)
    return recorder


def replay(folder: Path, work) -> Player:
    recording = load(folder)
    player = Player(recording.steps)
    tape.use(player)

    def run(steps) -> None:
        try:
            for step in steps:
                player.run(step, lambda step=step: work(step))
        except Diverged:
            pass

    lanes: dict[str, list] = {}
    for step in recording.steps:
        lanes.setdefault(step.lane, []).append(step)
    threads = [threading.Thread(target=run, args=(steps,)) for steps in lanes.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return player


def file_of(folder: Path) -> Path:
    (found,) = folder.glob("test-*.jsonl")
    return found


class TestJournal:
    def test_a_torn_tail_is_recognised_and_what_stands_before_it_is_read(self, tmp_path) -> None:
        journal = Journal(tmp_path, name="a", limit_bytes=10**9)
        for number in range(3):
            journal.write({"n": number})
        (path,) = tmp_path.glob("*.jsonl")
        whole = path.read_bytes()

        for cut in range(1, len(to_line({"n": 2}))):
            path.write_bytes(whole[:-cut])
            ((_, records, is_torn),) = read_files(tmp_path)
            assert (len(records), is_torn) == (2, True)

    def test_a_changed_digit_is_seen(self, tmp_path) -> None:
        Journal(tmp_path, name="a", limit_bytes=10**9).write({"price": "100.5"})
        (path,) = tmp_path.glob("*.jsonl")
        Journal(tmp_path, name="a", limit_bytes=10**9).write({"price": "101"})
        path.write_bytes(path.read_bytes().replace(b"100.5", b"100.6"))

        with pytest.raises(RecordingDamaged, match="line 1"):
            list(read_files(tmp_path))

    def test_full_files_are_compressed_and_read_in_order(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr("core.recording.journal.SEGMENT_BYTES", 200)
        journal = Journal(tmp_path, name="a", limit_bytes=10**9)
        for number in range(40):
            journal.write({"n": number})
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and thread.daemon:
                thread.join(10)

        names = sorted(path.name for path in tmp_path.iterdir())
        assert sum(name.endswith(".gz") for name in names) == len(names) - 1 > 2
        read = [record["n"] for _, records, _ in read_files(tmp_path) for record in records]
        assert read == list(range(40))

    def test_it_stops_at_its_limit_for_everybody(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr("core.recording.journal._CHECK_EVERY_BYTES", 100)
        first = Journal(tmp_path, name="a", limit_bytes=2000)
        other = Journal(tmp_path, name="b", limit_bytes=2000)

        for number in range(1000):
            first.write({"n": number})
        for number in range(10):
            other.write({"n": number, "long": "x" * 50})

        assert first.is_stopped
        assert other.is_stopped
        assert (tmp_path / STOPPED).exists()
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3000

    def test_a_file_killed_between_compressing_and_removing_is_read_once(self, tmp_path) -> None:
        Journal(tmp_path, name="a", limit_bytes=10**9).write({"n": 1})
        (path,) = tmp_path.glob("*.jsonl")
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))

        assert [len(records) for _, records, _ in read_files(tmp_path)] == [1]


class TestTape:
    def test_nothing_is_recorded_before_the_session_begins(self, tmp_path) -> None:
        record(tmp_path)

        with tape.step("a", {}):
            assert tape.told("clock", lambda: 7) == 7

        assert list(tmp_path.glob("*.jsonl")) == []

    def test_a_step_is_told_again_what_it_was_told(self, folder) -> None:
        record(folder)
        with tape.step("a", {"x": 1}):
            tape.told("clock", lambda: 7)
            tape.exchange({"path": "/order"}, lambda: {"status": 200})
        heard = []

        def again(step) -> None:
            heard.append(tape.told("clock", lambda: 8))
            heard.append(tape.exchange({"path": "/order"}, lambda: {"status": 500}))

        player = replay(folder, again)

        assert heard == [7, {"status": 200}]
        assert player.divergence is None
        assert player.done == player.total == 2

    def test_threads_take_turns_in_the_recorded_order(self, folder) -> None:
        record(folder)
        ready, order = threading.Barrier(2), []

        def work(name: str) -> None:
            ready.wait()
            for number in range(20):
                with tape.step(name, number):
                    order.append((name, number, 0))
                    tape.exchange({"n": number}, dict)
                    order.append((name, number, 1))

        threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again = []

        def redo(step) -> None:
            again.append((step.name, step.arguments, 0))
            tape.exchange({"n": step.arguments}, dict)
            again.append((step.name, step.arguments, 1))

        assert replay(folder, redo).divergence is None
        assert again == order

    @pytest.mark.parametrize(
        ("work", "kind", "recorded", "replayed"),
        [
            (lambda: tape.told("clock", int), "TOLD", "asked", "nothing more"),
            (lambda: tape.told("tickers", int), "TOLD", "clock", "tickers"),
            (
                lambda: (tape.told("clock", int), tape.exchange({"q": "2"}, dict)),
                "REQUEST",
                {"q": "1"},
                {"q": "2"},
            ),
            (
                lambda: (
                    tape.told("clock", int),
                    tape.exchange({"q": "1"}, dict),
                    tape.told("clock", int),
                ),
                "TOLD",
                "nothing more",
                "clock",
            ),
        ],
    )
    def test_the_first_divergence_is_named(self, folder, work, kind, recorded, replayed) -> None:
        record(folder)
        with tape.step("a", {}):
            tape.told("clock", lambda: 7)
            tape.exchange({"q": "1"}, dict)

        found = replay(folder, lambda _step: work()).divergence

        assert (found.kind, found.recorded, found.replayed) == (kind, recorded, replayed)
        assert found.where.endswith("(a)")

    @pytest.mark.parametrize("after", ["commit", "asked"])
    def test_a_killed_step_ends_where_it_died(self, folder, after) -> None:
        record(folder)
        done = []

        def work() -> None:
            tape.told("clock", lambda: 7)
            done.append("computed")
            tape.active().note("commit")
            done.append("committed")
            tape.exchange({"q": "1"}, dict)
            done.append("answered")

        with tape.step("a", {}):
            work()
        path = file_of(folder)
        lines = path.read_bytes().splitlines(keepends=True)
        place = next(n for n, line in enumerate(lines) if f'"k":"{after}"'.encode() in line)
        path.write_bytes(b"".join(lines[:place]))
        done.clear()

        player = replay(folder, lambda _step: work())

        assert player.divergence is None
        assert done == {"commit": ["computed"], "asked": ["computed", "committed"]}[after]

    @pytest.mark.parametrize("is_lost", [True, False])
    def test_a_commit_in_doubt_can_be_taken_either_way(self, folder, is_lost) -> None:
        record(folder)
        done = []

        def work() -> None:
            tape.active().note("commit")
            done.append("committed")
            tape.active().note("committed")

        with tape.step("a", {}):
            work()
        path = file_of(folder)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
        done.clear()
        recording = load(folder)
        (step,) = recording.steps
        assert recording.in_doubt == [step.step_id]
        player = Player([step], lost=recording.in_doubt if is_lost else ())
        tape.use(player)

        player.run(step, work)

        assert done == ([] if is_lost else ["committed"])
        assert player.divergence is None

    def test_who_waits_too_long_for_the_baton_goes_on_and_says_so(
        self, folder, monkeypatch
    ) -> None:
        monkeypatch.setattr("core.recording.recorder.LONGEST_WAIT_S", 0.01)
        recorder = record(folder)
        inside, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with tape.step("holder", {}):
                inside.set()
                leave.wait(10)

        holder = threading.Thread(target=hold)
        holder.start()
        inside.wait(10)
        with tape.step("late", {}):
            assert recorder.is_in_step
        leave.set()
        holder.join()

        assert load(folder).late == 1

    def test_a_step_within_a_step_is_a_part_of_it(self, folder) -> None:
        record(folder)
        with tape.step("outer", {}), tape.step("inner", {}):
            tape.told("clock", lambda: 7)

        (step,) = load(folder).steps
        assert step.name == "outer"

    def test_a_child_process_writes_a_file_of_its_own(self, folder) -> None:
        record(folder)
        with tape.step("parent", {}):
            pass
        pid = os.fork()
        if not pid:
            with tape.step("child", {}):
                pass
            os._exit(0)
        os.waitpid(pid, 0)

        assert sorted(step.name for step in load(folder).steps) == ["child", "parent"]
        assert len(list(folder.glob("test-*.jsonl"))) == 2

    def test_calls_of_people_are_steps_with_their_arguments(self, folder) -> None:
        record(folder)

        @calls.taped
        def raise_hand(*, reason: str, broker: object) -> str:
            return reason

        assert raise_hand(reason="odd", broker=object()) == "odd"

        (step,) = load(folder).steps
        assert step.name.endswith("raise_hand")
        assert step.arguments == {"reason": "odd"}

    @pytest.mark.parametrize(
        ("value", "recorded"),
        [
            (timedelta(minutes=10), {"@": "timedelta", "v": 600_000_000}),
            (Decimal("1.50"), {"@": "Decimal", "v": "1.50"}),
            (object, "<class 'object'>"),
        ],
    )
    def test_no_argument_stops_a_call(self, folder, value, recorded) -> None:
        record(folder)

        @calls.taped
        def wait_for(*, limit: object) -> object:
            return limit

        assert wait_for(limit=value) == value

        (step,) = load(folder).steps
        assert step.arguments == {"limit": recorded}
