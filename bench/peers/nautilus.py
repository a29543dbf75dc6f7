"""The rule in NautilusTrader; run by its own environment. Prints seconds and orders as JSON."""

import json
import sys
import time
from decimal import Decimal

import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig, StrategyConfig
from nautilus_trader.indicators import ExponentialMovingAverage, RelativeStrengthIndex
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from bench.backtest_market import candles


class Settings(StrategyConfig, frozen=True):
    """Which bars."""

    bar_type: BarType


class EmaRsi(Strategy):
    """In on the cross above, out on the cross below."""

    def __init__(self, config):
        super().__init__(config)
        self.fast, self.slow = ExponentialMovingAverage(12), ExponentialMovingAverage(48)
        self.rsi = RelativeStrengthIndex(14)
        self.was_above = None
        self.is_in = False
        self.orders = 0

    def on_start(self):
        self.instrument = self.cache.instrument(self.config.bar_type.instrument_id)
        self.quantity = self.instrument.make_qty(Decimal("0.10"))
        for indicator in (self.fast, self.slow, self.rsi):
            self.register_indicator_for_bars(self.config.bar_type, indicator)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar):
        if not self.slow.initialized:
            return
        is_above = self.fast.value > self.slow.value
        if self.was_above is not None and is_above != self.was_above:
            if is_above and not self.is_in and self.rsi.value < 0.75:
                self.send(OrderSide.BUY)
            elif not is_above and self.is_in:
                self.send(OrderSide.SELL)
        self.was_above = is_above

    def send(self, side):
        self.orders += 1
        self.is_in = side == OrderSide.BUY
        order = self.order_factory.market(self.instrument.id, side, self.quantity)
        self.submit_order(order)


def main(count):
    """Run once: an engine cannot be run twice on the same bars."""
    instrument = TestInstrumentProvider.ethusdt_binance()
    kind = BarType.from_str(f"{instrument.id}-5-MINUTE-LAST-EXTERNAL")
    times, opened, high, low, close, volume = candles(count)
    stamps = pd.DatetimeIndex(pd.to_datetime(times, unit="ms", utc=True), name="timestamp")
    frame = pd.DataFrame(
        {"open": opened, "high": high, "low": low, "close": close, "volume": volume}, index=stamps
    )
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=False)
        )
    )
    engine.add_venue(
        Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.CASH,
        base_currency=None,
        starting_balances=[Money(1_000_000, USDT)],
        bar_execution=True,
    )
    engine.add_instrument(instrument)
    engine.add_data(BarDataWrangler(kind, instrument).process(frame))
    strategy = EmaRsi(Settings(bar_type=kind))
    engine.add_strategy(strategy)
    begun = time.perf_counter()
    engine.run()
    print(json.dumps({"run_s": time.perf_counter() - begun, "orders": strategy.orders}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
