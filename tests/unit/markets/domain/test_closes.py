from markets.domain.closes import CloseBatcher
from markets.domain.timeframe import Timeframe

OPEN_MS = 1_700_000_100_000 // 300_000 * 300_000


def row(instrument_id: int, open_ms: int = OPEN_MS) -> list[int]:
    return [instrument_id, open_ms]


def batcher() -> CloseBatcher:
    gathering = CloseBatcher(wait_s=0.25)
    gathering.expect({Timeframe.M5: [1, 2], Timeframe.H1: [1]})
    return gathering


def test_it_gives_a_batch_as_soon_as_all_are_there() -> None:
    gathering = batcher()

    gathering.add(Timeframe.M5, row(1), at_s=10.0)
    early = gathering.take(at_s=10.01)
    gathering.add(Timeframe.M5, row(2), at_s=10.02)
    batches = gathering.take(at_s=10.02)

    assert early == []
    assert [batch.rows for batch in batches] == [(row(1), row(2))]
    assert batches[0].close_time_ms == OPEN_MS + Timeframe.M5.ms
    assert gathering.take(at_s=99.0) == []


def test_it_does_not_wait_for_ever_and_keeps_moments_and_timeframes_apart() -> None:
    gathering = batcher()

    gathering.add(Timeframe.M5, row(2, OPEN_MS + 300_000), at_s=10.0)
    gathering.add(Timeframe.M5, row(1), at_s=10.1)
    gathering.add(Timeframe.H1, row(1, OPEN_MS - 3_600_000), at_s=10.1)

    assert [batch.timeframe for batch in gathering.take(at_s=10.2)] == [Timeframe.H1]
    assert [batch.rows for batch in gathering.take(at_s=10.26)] == [(row(2, OPEN_MS + 300_000),)]
    assert [batch.rows for batch in gathering.take(at_s=10.36)] == [(row(1),)]
