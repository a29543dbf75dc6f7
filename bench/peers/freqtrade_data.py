"""Write the candles as freqtrade wants them; run by its environment: FILE COUNT."""

import sys
from pathlib import Path

import pandas as pd

from bench.backtest_market import candles


def main(path: Path, count: int) -> None:
    """Write a feather file."""
    times, opened, high, low, close, volume = candles(count)
    frame = pd.DataFrame(
        {
            "date": pd.to_datetime(times, unit="ms", utc=True),
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_feather(path, compression="lz4")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
