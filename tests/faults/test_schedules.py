"""Many fault schedules in one process: no order twice, no fill lost.

``make schedules SEED=1 RUNS=10000`` runs more of them; a few run with the suite.
"""

import os
import sys

import pytest

from tests.faults.schedules import run_schedules

SEED = int(os.environ.get("SCHEDULE_SEED", "1"))
SCHEDULES = int(os.environ.get("SCHEDULES", "40"))
LIMIT_S = 60 + 3 * SCHEDULES


@pytest.mark.timeout(LIMIT_S)
def test_no_schedule_doubles_an_order_or_loses_a_fill(memory):
    total = run_schedules(memory, range(SEED, SEED + SCHEDULES))

    sys.stdout.write(f"{total}\n")
    assert total.unsound == [], "\n\n".join(total.unsound[:5])
    assert (total.schedules, total.doubled, total.lost) == (SCHEDULES, 0, 0)
    assert total.orders > SCHEDULES
    assert total.fills > SCHEDULES
