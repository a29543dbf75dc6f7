"""A walk that was killed goes on where it was, with the same bits."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlmodels.adapters.factory import get_trainers
from mlmodels.adapters.walk_memory import KEPT_S, FolderWalkMemory
from mlmodels.domain.dataset import build_dataset
from mlmodels.domain.features import FeatureSpec
from mlmodels.ports import silent
from mlmodels.services.fitting import split
from mlmodels.services.walking import Lesson, walk
from tests.unit.mlmodels.market import HOUR_MS, generate

ROOT = Path(__file__).parents[4]
# It is killed in the middle: in front of the third block it waits for ever.
PROGRAM = """
import sys
from pathlib import Path
from mlmodels.adapters.walk_memory import FolderWalkMemory
from tests.unit.mlmodels.services.test_walking import go

def stop(done, total, message):
    if done == 2:
        print("there", flush=True)
        sys.stdin.read()

go(FolderWalkMemory(Path(sys.argv[1])), stop)
"""


def rows():
    return build_dataset(
        {1: generate(1500, seed=3, ic=0.3)}, spec=FeatureSpec(interval_ms=HOUR_MS), horizon_bars=4
    )


def go(memory, progress, seed=1):
    dataset = rows()
    return walk(
        dataset,
        split(dataset, horizon_bars=4, interval_ms=HOUR_MS),
        get_trainers("xgboost"),
        seed=seed,
        progress=progress,
        lesson=Lesson(memory=memory),
    )


class Counting:
    """Remembers how often it helped."""

    def __init__(self, memory):
        self.memory, self.helped = memory, 0

    def recall(self, name):
        found = self.memory.recall(name)
        self.helped += found is not None
        return found

    def keep(self, name, margins):
        self.memory.keep(name, margins)


def test_it_goes_on_after_a_kill_with_the_same_bits(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout.readline() == "there\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()

    memory = Counting(FolderWalkMemory(tmp_path))
    alone, margins = go(memory, silent)

    assert memory.helped == 2
    fresh_alone, fresh = go(None, silent)
    assert margins.tobytes() == fresh.tobytes()
    assert alone.tobytes() == fresh_alone.tobytes()


def test_it_takes_nothing_of_another_seed(tmp_path):
    go(FolderWalkMemory(tmp_path), silent)
    memory = Counting(FolderWalkMemory(tmp_path))

    go(memory, silent, seed=2)

    assert memory.helped == 0


def test_it_forgets_what_is_old_or_broken(tmp_path):
    memory = FolderWalkMemory(tmp_path)
    memory.keep("one", np.ones((1, 3)))
    memory.keep("two", np.ones((1, 3)))
    (tmp_path / "two.npy").write_bytes(b"\x80\x04no numbers")
    long_ago = (tmp_path / "one.npy").stat().st_mtime - KEPT_S - 60
    os.utime(tmp_path / "one.npy", (long_ago, long_ago))

    assert memory.recall("one").tolist() == [[1.0, 1.0, 1.0]]
    assert memory.recall("two") is None
    assert memory.recall("three") is None
    memory.keep("four", np.ones((1, 3)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["four.npy", "two.npy"]


@pytest.mark.parametrize("half_life", [None, 500 * HOUR_MS])
def test_age_changes_what_is_learned(half_life):
    dataset = rows()
    folds = split(dataset, horizon_bars=4, interval_ms=HOUR_MS)[:1]
    said = [
        walk(
            dataset,
            folds,
            get_trainers("logistic"),
            seed=1,
            progress=silent,
            lesson=Lesson(half_life_ms=given),
        )[1][folds[0].test]
        for given in (None, half_life)
    ]

    assert np.array_equal(*said) is (half_life is None)
