"""Many fault schedules in one process: no order twice, no fill lost.

``SCHEDULES=10000 SCHEDULE_SEED=1`` runs more of them; a few run with the suite.
"""

import os
import sys

import pytest
from requests.adapters import HTTPAdapter

from core import crashpoints
from tests.fakes.clock import HandClock
from tests.faults.memory import Wire, open_memory_floor
from tests.faults.reaper import Reaper
from tests.faults.schedules import run_schedules

SEED = int(os.environ.get("SCHEDULE_SEED", "1"))
SCHEDULES = int(os.environ.get("SCHEDULES", "40"))
LIMIT_S = 60 + 3 * SCHEDULES


@pytest.mark.timeout(LIMIT_S)
@pytest.mark.django_db
def test_no_schedule_doubles_an_order_or_loses_a_fill(monkeypatch, settings):
    wire, reaper = Wire(), Reaper()
    monkeypatch.setattr(HTTPAdapter, "send", wire.send)
    monkeypatch.setattr(crashpoints, "os", reaper)
    settings.CRASHPOINT = ""  # taken back by the fixture, whatever the reaper sets
    floor = open_memory_floor(wire, HandClock())

    total = run_schedules(floor, wire, reaper, range(SEED, SEED + SCHEDULES))

    sys.stdout.write(f"{total}\n")
    assert total.unsound == [], "\n\n".join(total.unsound[:5])
    assert (total.schedules, total.doubled, total.lost) == (SCHEDULES, 0, 0)
    assert total.orders > SCHEDULES
    assert total.fills > SCHEDULES
