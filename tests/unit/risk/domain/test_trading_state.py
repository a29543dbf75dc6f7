import pytest

from risk.domain.trading_state import CLOSED, PERMITTED, Level, Purpose

ORDER = ["ACTIVE", "REDUCE_ONLY", "HALT", "CANCEL", "FLATTEN"]


@pytest.mark.parametrize("left", ORDER)
@pytest.mark.parametrize("right", ORDER)
def test_it_compares_levels_by_severity(left: str, right: str) -> None:
    here, there = Level(left), Level(right)
    expected = ORDER.index(left) - ORDER.index(right)

    assert (here < there) is (expected < 0)
    assert (here <= there) is (expected <= 0)
    assert (here > there) is (expected > 0)
    assert (here >= there) is (expected >= 0)


def test_it_sorts_levels_by_severity() -> None:
    assert [level.value for level in sorted(Level)] == ORDER


def test_it_says_for_every_level_what_passes() -> None:
    assert set(PERMITTED) == set(Level)


@pytest.mark.parametrize("level", list(Level)[1:])
def test_it_lets_no_entry_through_above_active(level: Level) -> None:
    assert Purpose.ENTRY not in PERMITTED[level]


def test_it_is_shut_when_the_row_is_missing() -> None:
    assert not CLOSED.permits(Purpose.ENTRY)
    assert not CLOSED.permits(Purpose.EXIT)
    assert not CLOSED.is_running
