import asyncio
import itertools
import random
from pathlib import Path

import orjson
import pytest

from simexchange.engine.ledger import Ledger
from simexchange.engine.saving import apply, ledger_records
from simexchange.errors import ApiError
from simexchange.journal import Journal, read_journal
from tests.fakes.sim_exchange import Desk
from tests.fakes.sim_program import rows_of


def test_it_reads_back_what_it_wrote_without_being_closed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.jsonl"
    journal = Journal(path, [{"k": "old"}])

    journal.write({"k": "x", "n": 1})

    assert list(read_journal(path)) == [{"k": "old"}, {"k": "x", "n": 1}]
    journal.close()


def test_it_leaves_out_a_torn_last_line(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    path.write_bytes(b'{"k":"a"}\n{"k":"b"')

    assert list(read_journal(path)) == [{"k": "a"}]


def test_it_refuses_a_file_that_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    path.write_bytes(b'hello\n{"k":"b"}\n')

    with pytest.raises(ValueError, match="line 1 is not a journal record"):
        list(read_journal(path))


def test_it_starts_with_a_compact_copy(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    path.write_bytes(b'{"k":"a"}\n' * 100)

    Journal(path, [{"k": "a"}]).close()

    assert path.read_bytes() == b'{"k":"a"}\n'
    assert [one.name for one in tmp_path.iterdir()] == ["state.jsonl"]


def read_back(path: Path) -> list[dict[str, object]]:
    """Return the ledger that a process killed now would find."""
    ledger = Ledger()
    for record in read_journal(path):
        apply(ledger, record)
    return rows_of(ledger)


def trade(desk: Desk, chance: random.Random) -> None:
    side, price = chance.choice(("BUY", "SELL")), f"{chance.uniform(97, 103):.2f}"
    try:
        if chance.random() < 0.5:
            desk.place(side, "LIMIT", quantity="0.1", price=price)
        elif chance.random() < 0.5:
            desk.market.print(price, "3")
        else:
            desk.cancel_all(desk.account)
    except ApiError as refusal:
        if refusal.code != -2011:
            raise


def test_killed_in_the_middle_of_being_compacted_it_has_everything(tmp_path: Path) -> None:
    path, desk, chance = tmp_path / "state.jsonl", Desk(), random.Random(4)
    journal = Journal(path, ledger_records(desk.ledger))
    desk.exchange.record = journal.write
    for _ in range(400):
        trade(desk, chance)
    before = path.stat().st_size
    steps = itertools.count()

    async def go_on() -> None:
        compacting = asyncio.create_task(journal.compact(lambda: ledger_records(desk.ledger)))
        while not compacting.done():
            trade(desk, chance)
            next(steps)
            assert read_back(path) == rows_of(desk.ledger)
            await asyncio.sleep(0)
        await compacting

    asyncio.run(go_on())

    assert next(steps) > 3
    assert path.stat().st_size < before
    assert not path.with_name("state.jsonl.new").exists()
    trade(desk, chance)
    assert read_back(path) == rows_of(desk.ledger)
    journal.close()


def test_it_is_compacted_by_itself_when_it_has_grown(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    journal = Journal(path, [], compact_above=1_000)
    line = {"k": "time", "t": 1}
    for _ in range(200):
        journal.write(line)

    async def wait() -> None:
        compacting = asyncio.create_task(journal.keep_compact(lambda: [line]))
        async with asyncio.timeout(20):
            while path.stat().st_size > 1_000:
                await asyncio.sleep(0.02)
        compacting.cancel()

    asyncio.run(wait())
    journal.write(line)

    assert path.read_bytes() == (orjson.dumps(line) + b"\n") * 2
    journal.close()


def test_a_compaction_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    journal = Journal(path, [{"k": "old"}])

    def break_off() -> list[dict[str, object]]:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        asyncio.run(journal.compact(break_off))
    journal.write({"k": "x"})

    assert list(read_journal(path)) == [{"k": "old"}, {"k": "x"}]
    journal.close()
