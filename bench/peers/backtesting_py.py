"""The rule in backtesting.py; run by its own environment. Prints seconds and trades as JSON."""

import json
import statistics
import sys
import time
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from bench.backtest_market import candles

warnings.filterwarnings("ignore")


def smooth(values, weight):
    """Return the recursive average of `values`."""
    return pd.Series(values).ewm(alpha=weight, adjust=False).mean().to_numpy()


def signals(close):
    """Return where to enter and where to leave."""
    change = np.diff(close, prepend=close[0])
    gains, losses = (smooth(np.maximum(side * change, 0), 1 / 14) for side in (1, -1))
    rsi = np.where(gains + losses > 0, 100 * gains / (gains + losses + 1e-300), 50.0)
    above = smooth(close, 2 / 13) > smooth(close, 2 / 49)
    cross = np.zeros(len(close), bool)
    cross[1:] = above[1:] != above[:-1]
    return cross & above & (rsi < 75), cross & ~above


class EmaRsi(Strategy):
    """In on the cross above, out on the cross below."""

    def init(self):
        enter, leave = signals(np.asarray(self.data.Close))
        self.enter = self.I(lambda: enter.astype(float), plot=False)
        self.leave = self.I(lambda: leave.astype(float), plot=False)

    def next(self):
        if self.enter[-1] > 0 and not self.position:
            self.buy(size=1)
        elif self.leave[-1] > 0 and self.position:
            self.position.close()


def main(count):
    """Run three times after a warm-up."""
    times, opened, high, low, close, volume = candles(count)
    frame = pd.DataFrame(
        {"Open": opened, "High": high, "Low": low, "Close": close, "Volume": volume},
        index=pd.to_datetime(times, unit="ms"),
    )
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        found = Backtest(frame, EmaRsi, cash=1e6, commission=0.001, finalize_trades=True).run()
        seconds.append(time.perf_counter() - begun)
    print(json.dumps({"run_s": statistics.median(seconds), "trades": int(found["# Trades"])}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
