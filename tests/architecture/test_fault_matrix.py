"""Every cell of the fault matrix is held by a test that is there."""

import re

import pytest

from tests.architecture.tree import ROOT
from tests.faults.matrix import CELLS


def test_every_cell_has_a_test():
    numbers = [int(name.removeprefix("FI-")) for name in CELLS]

    assert numbers == list(range(1, 73))
    assert all(CELLS.values())


@pytest.mark.parametrize("cell", CELLS)
def test_its_tests_are_there(cell):
    for named in CELLS[cell]:
        path, _, start = named.partition("::")
        text = (ROOT / "tests" / path).read_text()
        assert re.search(rf"^ *(async )?def {re.escape(start)}", text, re.MULTILINE), named
