import json
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from core.rest.encoding import dumps


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1.500"), '"1.5"'),
        (datetime(2026, 11, 24, 14, 5, tzinfo=UTC), '"2026-11-24T14:05:00Z"'),
        (float("nan"), "null"),
        (np.float64(0.25), "0.25"),
        (np.float32(0.5), "0.5"),
        (np.int64(7), "7"),
        (np.bool_(True), "true"),
        (np.float64("nan"), "null"),
        (np.array([1.0, np.nan]), "[1.0,null]"),
        ({3, 1}, "[1,3]"),
    ],
)
def test_it_writes_what_messages_and_answers_hold(value, text):
    assert dumps({"value": value}).decode() == f'{{"value":{text}}}'
    json.loads(dumps(value))


def test_it_refuses_what_has_no_form():
    with pytest.raises(TypeError):
        dumps({"value": object()})
