"""Round trips of every kind of order, one or two a pair; read by the installed freqtrade."""

from datetime import timedelta

from freqtrade.strategy import IStrategy

MARKET, LIMIT, WAITS, IS_STOPPED = "BTC/USDT", "ETH/USDT", "ADA/USDT", "SOL/USDT"
ROUNDS = {MARKET: 2, LIMIT: 2, WAITS: 1, IS_STOPPED: 1}
HELD = timedelta(seconds=8)


class RoundTrips(IStrategy):
    """In at once. Out after some seconds, but for one pair that its stop on the exchange ends."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    minimal_roi = {"0": 100.0}
    stoploss = -0.05
    startup_candle_count = 5
    process_only_new_candles = False
    order_types = {
        "entry": "limit",
        "exit": "limit",
        "stoploss": "limit",
        "stoploss_on_exchange": True,
        "stoploss_on_exchange_limit_ratio": 0.97,
    }
    begun: dict[str, int] = {}

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe["exit_long"] = 0
        return dataframe

    def custom_entry_price(self, pair, proposed_rate, **more):
        """Choose the pair's kind of order; one pair bids too low, and is canceled by freqtrade."""
        self.order_types["entry"] = "market" if pair == MARKET else "limit"
        return proposed_rate * 0.985 if pair == WAITS else proposed_rate

    def confirm_trade_entry(self, pair, order_type, amount, rate, **more):
        self.begun[pair] = self.begun.get(pair, 0) + 1
        return self.begun[pair] <= ROUNDS[pair]

    def custom_exit(self, pair, trade, current_time, **more):
        self.order_types["exit"] = "market" if pair == MARKET else "limit"
        if pair != IS_STOPPED and current_time - trade.open_date_utc > HELD:
            return "held long enough"
        return None
