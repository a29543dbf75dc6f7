"""Run the installed freqtrade without a network: its ccxt gets a static list of markets.

freqtrade itself is not changed. Times of its parts are written to the file in FT_MARKS.
"""

import json
import os
import sys
import time
from pathlib import Path

BEGUN = time.perf_counter()

import ccxt  # noqa: E402
import ccxt.async_support as ccxt_async  # noqa: E402

PAIR = "AAA/USDT"
_marks: dict[str, float] = {}


def _markets(exchange):
    base, quote = PAIR.split("/")
    market = {
        "id": base + quote,
        "symbol": PAIR,
        "base": base,
        "quote": quote,
        "baseId": base,
        "quoteId": quote,
        "type": "spot",
        "spot": True,
        **dict.fromkeys(("margin", "swap", "future", "option", "contract"), False),
        "active": True,
        "taker": 0.001,
        "maker": 0.001,
        "precision": {"amount": 0.0001, "price": 0.0001},
        "limits": {
            "amount": {"min": 0.0001, "max": 1e6},
            "price": {"min": 0.0001, "max": 1e7},
            "cost": {"min": 5, "max": 1e9},
            "leverage": {"min": None, "max": None},
        },
        "info": {"status": "TRADING"},
    }
    return [exchange.safe_market_structure(market)]


async def _fetch_markets(self, params=None):
    return _markets(self)


async def _fetch_currencies(self, params=None):
    return {}


def _timed(owner, name, label):
    inner = getattr(owner, name)

    def wrapper(*args, **kwargs):
        begun = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            _marks[label] = _marks.get(label, 0.0) + time.perf_counter() - begun

    setattr(owner, name, wrapper)


def main():
    """Hand the command line on to freqtrade."""
    ccxt_async.binance.fetch_markets = _fetch_markets
    ccxt_async.binance.fetch_currencies = _fetch_currencies
    ccxt.binance.fetch_markets = lambda self, params=None: _markets(self)
    ccxt.binance.fetch_currencies = lambda self, params=None: {}
    from freqtrade.main import main as run
    from freqtrade.optimize.backtesting import Backtesting

    _timed(Backtesting, "start", "start_s")
    try:
        run(sys.argv[1:])
        status = 0
    except SystemExit as stop:
        status = stop.code or 0
    _marks["total_s"] = time.perf_counter() - BEGUN
    Path(os.environ["FT_MARKS"]).write_text(json.dumps(_marks))
    sys.exit(status)


if __name__ == "__main__":
    main()
