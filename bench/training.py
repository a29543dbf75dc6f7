"""Trains again and again, as far behind the others for the processor as the training worker.

Run as ``python -m bench.training TIMEFRAME INSTRUMENT_IDS`` with the desk's environment; ends when
it is told to. Its recipe is another than the champion's: what it makes serves nowhere.
"""

import signal
import sys
from datetime import timedelta
from itertools import count
from types import FrameType

from tradingsite.supervisor.standing_back import stand_back


def main(timeframe: str, instrument_ids: list[int]) -> None:
    """Train until a signal says stop."""
    import django

    stand_back()
    django.setup()

    from core.clock import get_clock
    from markets.domain.timeframe import Timeframe
    from mlmodels.adapters.factory import get_artifact_store, get_trainers
    from mlmodels.services.training import train_model

    for seed in count(1):
        train_model(
            timeframe=Timeframe(timeframe),
            instrument_ids=instrument_ids,
            horizon_bars=1,
            trigger="manual",
            seed=seed,
            trainers=get_trainers("xgboost"),
            store=get_artifact_store(),
            now=get_clock().now(),
            progress=lambda _done, _total, _message: None,
            lease=timedelta(days=1),
        )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    main(sys.argv[1], [int(key) for key in sys.argv[2].split(",")])
