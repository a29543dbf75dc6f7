import json

import numpy as np
import pytest

from mlmodels.domain.cases import Cases

RNG = np.random.default_rng(1)
FEATURES = RNG.normal(size=(3000, 6)).astype(np.float32)
CASES = Cases.sample(
    features=FEATURES,
    close_ms=np.arange(3000),
    group=np.arange(3000) % 3,
    realized_return=FEATURES[:, 0].astype(float) / 100,
)


def test_it_calls_the_usual_usual_and_the_strange_strange():
    usual = CASES.dissimilarity(RNG.normal(size=(200, 6)).astype(np.float32))
    strange = CASES.dissimilarity(np.full((1, 6), 8.0, np.float32))

    assert usual.mean() == pytest.approx(1.0, abs=0.3)
    assert strange[0] > 3.0


def test_it_measures_a_row_like_many_and_as_far_as_the_nearest_case():
    rows = RNG.normal(size=(5000, 6)).astype(np.float32)

    many = CASES.dissimilarity(rows)

    assert many[:50].tolist() == [CASES.dissimilarity(row[None])[0] for row in rows[:50]]
    nearest = [CASES.nearest(row, count=1)[0].distance for row in rows[:50]]
    assert many[:50] == pytest.approx(nearest, abs=1e-3)


def test_it_finds_the_very_case_first():
    place = int(CASES.close_ms[100])

    found = CASES.nearest(FEATURES[place], count=3)

    assert found[0].close_ms == place
    assert found[0].distance < 0.05
    assert found[0].realized_return == pytest.approx(FEATURES[place, 0] / 100)
    assert [case.distance for case in found] == sorted(case.distance for case in found)


def test_it_survives_its_file():
    again = Cases.from_json(json.loads(json.dumps(CASES.to_json())))

    asked = FEATURES[7]
    assert [case.close_ms for case in again.nearest(asked, count=5)] == [
        case.close_ms for case in CASES.nearest(asked, count=5)
    ]
