"""Restarts by progress: a queue that moves is left alone, one that stands is not, for a while."""

import pytest

from tradingsite.supervisor.launching import Duty
from tradingsite.supervisor.standstill import MOST_RESTARTS, Standstill, Verdict, group_cpu_s

DUTY = Duty(queue="orders", patience_s=60)
LEAVE, RESTART, GIVE_UP = Verdict.LEAVE, Verdict.RESTART, Verdict.GIVE_UP


def verdicts(standing: Standstill, oldest: bytes, seconds: range, computed=lambda: 0.0):
    """Return the seconds of all verdicts but LEAVE."""
    return [
        (now_s, verdict)
        for now_s in seconds
        if (verdict := standing.judge(oldest, now_s=now_s, computed_s=computed)) is not LEAVE
    ]


def test_an_empty_queue_never_stands_still() -> None:
    assert verdicts(Standstill(DUTY), b"", range(0, 10_000, 2)) == []


def test_a_queue_whose_oldest_message_changes_moves() -> None:
    standing = Standstill(DUTY)

    found = [
        standing.judge(b"%d" % (now_s // 58), now_s=now_s, computed_s=float)
        for now_s in range(1000)
    ]

    assert set(found) == {LEAVE}


def test_a_worker_is_restarted_less_and_less_often_and_then_left_alone() -> None:
    found = verdicts(Standstill(DUTY), b"m", range(20_000))

    # Each look after a restart begins the count anew, with twice the patience.
    assert found == [(60, RESTART), (181, RESTART), (422, RESTART), (903, GIVE_UP)]
    assert len(found) == MOST_RESTARTS + 1


def test_progress_after_giving_up_lets_it_be_watched_again() -> None:
    standing = Standstill(DUTY)
    verdicts(standing, b"m", range(1000))

    standing.judge(b"", now_s=1000, computed_s=float)

    # Within the hour there is no further restart, but a word about it.
    assert verdicts(standing, b"n", range(1001, 2000)) == [(1481, GIVE_UP)]
    standing.judge(b"", now_s=5000, computed_s=float)
    assert verdicts(standing, b"o", range(5001, 5100)) == [(5061, RESTART)]


def test_what_nobody_saw_does_not_count() -> None:
    standing = Standstill(DUTY)
    verdicts(standing, b"m", range(59))

    standing.forget()

    assert standing.stood_s(now_s=59) == 0
    assert verdicts(standing, b"m", range(59, 119)) == []


@pytest.mark.parametrize(("share", "expected"), [(1.0, []), (0.01, [(60, RESTART)])])
def test_a_training_is_no_standstill_and_a_worker_that_waits_is(share, expected) -> None:
    standing = Standstill(Duty(queue="train", patience_s=60, may_compute=True))

    found = [
        (now_s, verdict)
        for now_s in range(100)
        if (verdict := standing.judge(b"m", now_s=now_s, computed_s=lambda: share * now_s))  # noqa: B023
        is not LEAVE
    ]

    assert found == expected


def test_a_group_s_time_is_that_of_its_members_and_of_what_they_reaped(tmp_path) -> None:
    for pid, group, times in ((7, 7, "100 20 3 2"), (8, 7, "50 25 0 0"), (9, 9, "999 0 0 0")):
        (tmp_path / str(pid)).mkdir()
        stat = f"{pid} (a (b) c) S 1 {group} 7 0 -1 0 0 0 0 0 {times} 20 0 1"
        (tmp_path / str(pid) / "stat").write_text(stat)

    assert group_cpu_s(7, proc=tmp_path, ticks_per_s=100) == 2.0


def test_a_group_that_waits_for_a_processor_does_not_stand_still(tmp_path) -> None:
    for pid, group in ((7, 7), (9, 9)):
        stat = f"{pid} (a) S 1 {group} 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1"
        for thread in (pid, pid + 10):
            (tmp_path / f"{pid}/task/{thread}").mkdir(parents=True)
            (tmp_path / f"{pid}/task/{thread}/schedstat").write_text("5 1500000000 3")
        (tmp_path / f"{pid}/stat").write_text(stat)

    assert group_cpu_s(7, proc=tmp_path, ticks_per_s=100) == 3.0
