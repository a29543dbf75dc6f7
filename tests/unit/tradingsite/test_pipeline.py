import pytest

from tradingsite import pipeline

CLOSE_MS = 1_700_000_100_000


def rows(count):
    return [[key, CLOSE_MS - 300_000, *["1"] * 5] for key in range(count, 0, -1)]


@pytest.fixture
def sent(monkeypatch, settings):
    settings.PIPELINE_WORKERS = 2
    monkeypatch.setattr(pipeline, "_CHUNK_FROM_SYMBOLS", 10)
    batches = []
    monkeypatch.setattr(
        pipeline.ingest,
        "apply_async",
        lambda kwargs, queue: batches.append((queue, kwargs["batch"])),
    )
    return batches


def start(count):
    return pipeline.start_chain(timeframe="5m", close_time_ms=CLOSE_MS, rows=rows(count))


def test_it_keeps_few_symbols_together(sent):
    assert start(9) == 1

    ((queue, batch),) = sent
    assert queue == "pipeline.0"
    assert (len(batch["rows"]), batch["context"]) == (9, [])


def test_it_gives_each_chunk_the_market_that_features_compare_with(sent):
    assert start(25) == 2

    assert [queue for queue, _ in sent] == ["pipeline.0", "pipeline.1"]
    for _, batch in sent:
        own = {row[0] for row in batch["rows"]}
        beside = {row[0] for row in batch["context"]}
        assert not own & beside
        assert set(range(1, 11)) <= own | beside
        assert len(beside) <= 10
    assert sorted(row[0] for _, batch in sent for row in batch["rows"]) == list(range(1, 26))
