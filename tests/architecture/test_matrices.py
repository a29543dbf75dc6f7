"""What the matrices of faults and of model goals promise is held by tests that are there."""

import re

import pytest

from tests.architecture.tree import ROOT
from tests.faults.matrix import CELLS
from tests.model_goals import GOALS

_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_fault_has_a_test():
    numbers = [int(name.removeprefix("FI-")) for name in CELLS]

    assert numbers == list(range(1, 73))
    assert all(CELLS.values())


def test_every_goal_is_held_or_measured():
    names = [goal.split()[0] for goal in GOALS]

    groups = {"H": 9, "C": 4, "S": 6, "M": 4, "E": 5}
    assert names == [f"{group}{number + 1}" for group in groups for number in range(groups[group])]
    assert all(GOALS.values())


@pytest.mark.parametrize("name", [*CELLS, *GOALS])
def test_what_holds_it_is_there(name):
    for named in (CELLS | GOALS)[name]:
        if named.startswith("make "):
            assert named.removeprefix("make ") in _TARGETS, named
            continue
        path, _, start = named.partition("::")
        text = (ROOT / "tests" / path).read_text()
        assert re.search(rf"^ *(async )?def {re.escape(start)}", text, re.MULTILINE), named
