import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np
from core.memory import memory_cap

try:
    with memory_cap(64):
        np.ones(40_000_000)
except MemoryError:
    print("capped")
print(np.ones(40_000_000).sum())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux counts data pages")
def test_it_stops_what_takes_too_much_and_then_lifts_the_cap():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["capped", "40000000.0"]
