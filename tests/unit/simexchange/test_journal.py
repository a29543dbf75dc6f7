from pathlib import Path

import pytest

from simexchange.journal import Journal, read_journal


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
