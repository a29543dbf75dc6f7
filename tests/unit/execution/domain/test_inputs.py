"""What a decision was given survives its stored form."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from execution.domain.decision import ConfidenceMode, PositionView
from execution.domain.inputs import DecisionInputs
from risk.domain.trading_state import Level, StateView
from tests.unit.execution.domain.test_decision import CONFIG

GIVEN = DecisionInputs(
    position=PositionView(is_open=True, opened_at=datetime(2026, 1, 1, tzinfo=UTC)),
    config=replace(CONFIG, confidence_mode=ConfidenceMode.EDGE, confidence_margin=0.03),
    state=StateView(level=Level.ACTIVE, epoch=3, is_running=True),
    weights={"trend": 0.123456, "momentum": 0.0},
)


def stored():
    return json.loads(json.dumps(GIVEN.to_json()))


def test_it_reads_what_it_wrote():
    assert DecisionInputs.from_json(stored()) == GIVEN


def test_rows_from_before_there_was_a_choice_were_decided_by_the_number_alone():
    old = stored()
    del old["config"]["confidence_mode"], old["config"]["confidence_margin"], old["weights"]

    found = DecisionInputs.from_json(old)

    assert found is not None
    assert found.config.confidence_mode is ConfidenceMode.ABSOLUTE
    assert found.weights is None


@pytest.mark.parametrize("part", ["position", "config", "state"])
def test_rows_that_kept_less_are_told_apart(part):
    old = stored()
    del old[part]

    assert DecisionInputs.from_json(old) is None


def test_a_mode_that_does_not_exist_is_none():
    strange = stored()
    strange["config"]["confidence_mode"] = "bold"

    assert DecisionInputs.from_json(strange) is None
