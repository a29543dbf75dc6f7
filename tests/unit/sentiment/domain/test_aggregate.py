from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.domain.aggregate import Voice, aggregate

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def voice(number=0, **changes):
    at = changes.pop("at", NOW)
    arguments = {
        "kind": "RSS",
        "author": f"author-{number}",
        "cluster": f"cluster-{number}",
        "score": 1.0,
        "confidence": 1.0,
        "credibility": 1.0,
        "published_at": at,
        "available_at": at,
    }
    return Voice(**{**arguments, **changes})


def test_twenty_equal_voices_count_half():
    mood = aggregate([voice(number) for number in range(20)], now=NOW)

    assert mood.score == pytest.approx(0.5)
    assert mood.confidence == pytest.approx(0.5)
    assert mood.mentions == 20


def test_silence_is_not_neutrality():
    assert aggregate([], now=NOW) is None


def test_what_was_not_known_yet_does_not_count():
    late = voice(available_at=NOW + timedelta(seconds=1), published_at=NOW - timedelta(hours=1))

    assert aggregate([late], now=NOW) is None


def test_a_text_fades_by_half_in_its_half_life():
    fresh = aggregate([voice()], now=NOW)
    old = aggregate([voice(at=NOW - timedelta(hours=12))], now=NOW)

    assert fresh.effective == pytest.approx(1.0)
    assert old.effective == pytest.approx(0.5)


def test_copies_of_one_story_count_as_the_root_of_their_number():
    copies = [voice(number, cluster="one story") for number in range(4)]

    assert aggregate(copies, now=NOW).effective == pytest.approx(2.0)


def test_a_burst_of_one_author_hardly_moves_the_mood():
    calm = [voice(number, score=0.0) for number in range(40)]
    burst = [voice(number + 100, author="bot", score=1.0) for number in range(1000)]

    before = aggregate(calm, now=NOW).score
    after = aggregate(calm + burst, now=NOW).score

    assert after - before <= 0.05


@given(
    st.lists(
        st.tuples(st.floats(-1, 1), st.floats(0, 1), st.integers(0, 5), st.integers(0, 47 * 60)),
        max_size=40,
    )
)
def test_the_mood_stays_within_its_bounds(rows):
    voices = [
        voice(
            index,
            score=score,
            confidence=confidence,
            author=f"a{author}",
            at=NOW - timedelta(minutes=age),
        )
        for index, (score, confidence, author, age) in enumerate(rows)
    ]

    mood = aggregate(voices, now=NOW)

    if mood is not None:
        assert -1.0 <= mood.score <= 1.0
        assert 0.0 <= mood.confidence < 1.0
        assert mood == aggregate(voices, now=NOW)
