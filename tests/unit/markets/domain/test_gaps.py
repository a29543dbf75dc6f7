from hypothesis import given
from hypothesis import strategies as st

from markets.domain.gaps import Gap, find_gaps, subtract
from markets.domain.timeframe import Timeframe

MINUTE = 60_000


@given(present=st.sets(st.integers(0, 40)), known=st.sets(st.integers(0, 40)))
def test_it_finds_exactly_what_is_missing_and_not_known(present: set[int], known: set[int]) -> None:
    times = [minute * MINUTE for minute in sorted(present)]
    holes = find_gaps(
        [m * MINUTE for m in range(41) if m not in known],
        timeframe=Timeframe.M1,
        start_ms=0,
        end_ms=41 * MINUTE,
    )

    gaps = find_gaps(times, timeframe=Timeframe.M1, start_ms=5 * MINUTE, end_ms=35 * MINUTE)
    left = subtract(gaps, holes)

    def minutes(found: tuple[Gap, ...]) -> list[int]:
        return [t // MINUTE for gap in found for t in range(gap.start_ms, gap.end_ms, MINUTE)]

    assert minutes(gaps) == [m for m in range(5, 35) if m not in present]
    assert minutes(left) == [m for m in range(5, 35) if m not in present | known]


def test_it_rounds_the_range_up_to_the_grid() -> None:
    gaps = find_gaps([], timeframe=Timeframe.M1, start_ms=1, end_ms=2 * MINUTE + 1)

    assert gaps == (Gap(start_ms=MINUTE, end_ms=3 * MINUTE),)
    assert gaps[0].count(Timeframe.M1) == 2
