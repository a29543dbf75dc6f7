"""A pulse: moves with each beat, tells whose it is, and never stands in the way of the work."""

import os

import pytest

from core import pulse
from core.pulse import Pulse

PID = os.getpid()


def test_a_beat_changes_what_is_read(tmp_path):
    ours = Pulse(tmp_path, "guard")
    assert pulse.read(tmp_path, "guard", pid=PID) == b""
    ours.beat()
    os.utime(tmp_path / pulse.FOLDER / "guard", (1, 1))  # long ago, also for a coarse clock
    before = pulse.read(tmp_path, "guard", pid=PID)

    ours.beat()

    assert pulse.read(tmp_path, "guard", pid=PID) not in (b"", before)


def test_the_pulse_of_another_process_is_none(tmp_path):
    Pulse(tmp_path, "guard").beat()

    assert pulse.read(tmp_path, "guard", pid=PID + 1) == b""
    assert pulse.read(tmp_path, "stream_user_data", pid=PID) == b""


def test_a_file_that_was_removed_comes_back(tmp_path):
    ours = Pulse(tmp_path, "guard")
    ours.beat()
    (tmp_path / pulse.FOLDER / "guard").unlink()

    ours.beat()

    assert pulse.read(tmp_path, "guard", pid=PID)


def test_what_cannot_be_shown_is_logged_once_and_shown_later(tmp_path, caplog):
    (tmp_path / pulse.FOLDER).write_text("a file where the folder should be")
    ours = Pulse(tmp_path, "guard")

    ours.beat()
    ours.beat()

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with pytest.raises(NotADirectoryError):
        pulse.read(tmp_path, "guard", pid=PID)
    (tmp_path / pulse.FOLDER).unlink()
    ours.beat()
    assert pulse.read(tmp_path, "guard", pid=PID)
