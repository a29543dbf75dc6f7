"""Candle close to order while a training runs, calm rounds in turns with the training's."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from bench import desk as desks
from bench import servers, system
from bench.closing import close_or_again
from bench.desk import Desk
from bench.sample import percentile

_SIZES = (20, 100)
_ROUNDS = 4
_LIMIT_S = 30.0


def close_while_training(desk: Desk, folder: Path) -> dict[str, float]:
    """Close candles while a training runs, calm and training rounds in turns."""
    found: dict[bool, dict[int, list[float]]] = {
        is_training: {size: [] for size in _SIZES} for is_training in (False, True)
    }
    for is_training in (False, True, False, True):
        with _training(desk, folder) if is_training else nullcontext():
            for _ in range(_ROUNDS):
                desk.close_all()
                for size, times in found[is_training].items():
                    times.append(close_or_again(desk, size).accepted)
    figures: dict[str, float] = {}
    for size in _SIZES:
        calm, busy = (percentile(found[is_training][size], 95) for is_training in (False, True))
        figures[f"tick_calm_{size}_p95_ms"] = calm
        figures[f"tick_training_{size}_p95_ms"] = busy
        system.say(f"{size} symbols while a training runs: p95 {busy:.0f} ms (without {calm:.0f})")
    return figures


@contextmanager
def _training(desk: Desk, folder: Path) -> Iterator[None]:
    """Run trainings in a process of their own until the block ends."""
    from mlmodels.models import TrainingRun

    before = TrainingRun.objects.count()
    ids = ",".join(str(key) for key in sorted(desk.entering))
    command = [sys.executable, "-m", "bench.training", desks.TIMEFRAME, ids]
    with servers.program("training", command, folder=folder) as training:
        deadline = time.monotonic() + _LIMIT_S
        while TrainingRun.objects.count() == before:
            if time.monotonic() > deadline or training.process.poll() is not None:
                raise RuntimeError(f"no training began: {training.log.read_text()[-500:]}")
            time.sleep(0.05)
        yield
        if training.process.poll() is not None:
            raise RuntimeError(f"the training ended: {training.log.read_text()[-500:]}")
    TrainingRun.objects.filter(status="RUNNING").update(status="FAILED", error="told to stop")
