"""The replay on small markets whose every number can be checked by hand."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from execution.backtest.costs import Costs
from execution.backtest.engine import Setup, replay
from execution.backtest.rules import RuleStrategy, Signals
from execution.backtest.series import Series
from execution.domain.protection import ProtectionStyle, ProtectionTerms
from markets.domain.timeframe import Timeframe
from risk.domain.limits import RiskLimits
from tests.unit.execution.backtest.market import by_hand, rules

D = Decimal
FREE = Costs(
    taker_fee=D(0),
    maker_fee=D(0),
    half_spread_bps=D(0),
    impact=0.0,
    participation=None,
    latency_ms=0,
)
HOUR = 3_600_000
FLAT = (100, 100, 100, 100)


def series_of(*candles, detail=None, symbol="BTCUSDT", instrument_id=1, volume=1000.0, **changed):
    return Series(
        rules=rules(instrument_id, symbol, **changed),
        timeframe=Timeframe.H1,
        candles=by_hand(*candles, volume=volume),
        detail=detail,
        detail_timeframe=None if detail is None else Timeframe.M30,
    )


def at(enter=(), leave=(), notional="1000", name="rule"):
    """Return a strategy that wants in and out at the closes of these rows."""

    def signals(series):
        marks = np.zeros((2, len(series)), dtype=bool)
        marks[0, list(enter)] = True
        marks[1, list(leave)] = True
        return Signals(enter=marks[0], leave=marks[1])

    return RuleStrategy(name=name, signals=signals, notional=D(notional))


def run(series, *strategies, costs=FREE, **setup):
    series = [series] if isinstance(series, Series) else series
    return replay(series, strategies, Setup(costs=costs, **setup))


def test_it_fills_at_the_next_open_and_never_at_the_close_it_decided_on():
    outcome = run(
        series_of((100, 100, 100, 100), (101, 102, 101, 102), (103, 103, 103, 103), FLAT),
        at(enter=[0], leave=[1]),
    )

    (trade,) = outcome.trades
    assert (trade.entry_price, trade.exit_price) == (D(101), D(103))
    assert (trade.quantity, trade.pnl) == (D(10), D(20))
    assert trade.opened_ms == outcome.timeline[0]
    assert outcome.end_equity == D(100_020)


def test_it_takes_fee_and_spread_as_the_exchange_does():
    costs = replace(FREE, taker_fee=D("0.001"), half_spread_bps=D(10))

    outcome = run(series_of(*[FLAT] * 4), at(enter=[0], leave=[1]), costs=costs)

    (trade,) = outcome.trades
    assert (trade.entry_price, trade.exit_price) == (D("100.1"), D("99.9"))
    # 10 bought, 0.01 of them the fee; 9.99 sold at 99.9, 0.998001 of it the fee
    assert trade.pnl == D("9.99") * D("99.9") * D("0.999") - D(1001)
    assert outcome.end_equity == D(100_000) + trade.pnl


def test_it_rounds_prices_against_the_order():
    costs = replace(FREE, half_spread_bps=D("0.3"))

    outcome = run(series_of(*[FLAT] * 4), at(enter=[0], leave=[1]), costs=costs)

    assert (outcome.trades[0].entry_price, outcome.trades[0].exit_price) == (
        D("100.01"),
        D("99.99"),
    )


def test_it_counts_a_stop_before_a_target_where_nobody_knows():
    outcome = run(series_of(FLAT, (100, 106, 97, 100), FLAT), at(enter=[0]))

    (trade,) = outcome.trades
    assert (trade.exit_reason, trade.exit_price) == ("STOP_LOSS", D(98))


def test_it_asks_finer_candles_which_came_first():
    detail = by_hand(
        FLAT, FLAT, (100, 106, 100, 106), (106, 106, 97, 100), FLAT, FLAT, timeframe=Timeframe.M30
    )

    outcome = run(series_of(FLAT, (100, 106, 97, 100), FLAT, detail=detail), at(enter=[0]))

    (trade,) = outcome.trades
    assert (trade.exit_reason, trade.exit_price) == ("TAKE_PROFIT", D(105))


def test_it_sells_below_the_stop_after_a_gap_and_at_the_limit_above_the_target():
    fell = run(series_of(FLAT, FLAT, (90, 91, 89, 90), FLAT), at(enter=[0]))
    rose = run(series_of(FLAT, FLAT, (110, 111, 109, 110), FLAT), at(enter=[0]))

    assert (fell.trades[0].exit_reason, fell.trades[0].exit_price) == ("STOP_LOSS", D(90))
    assert (rose.trades[0].exit_reason, rose.trades[0].exit_price) == ("TAKE_PROFIT", D(105))


def test_it_fills_no_more_than_its_share_of_the_volume():
    costs = replace(FREE, participation=D("0.1"))

    outcome = run(series_of(*[FLAT] * 6, volume=40.0), at(enter=[0], leave=[1]), costs=costs)

    (trade,) = outcome.trades
    assert (trade.quantity, outcome.expired) == (D(4), 1)


def test_it_spreads_an_exit_over_the_candles_that_it_needs():
    market = series_of(*[FLAT] * 2, *[(100, 100, 100, 100)] * 6)
    volume = np.array([1000.0, 1000.0, 40.0, 40.0, 40.0, 1000.0, 1000.0, 1000.0])
    market.candles.volume[:] = volume
    costs = replace(FREE, participation=D("0.1"))

    outcome = run(market, at(enter=[0], leave=[1]), costs=costs)

    assert outcome.executions == 4  # 10 bought; 4, 4 and 2 sold
    assert outcome.trades[0].closed_ms == market.candles.open_time_ms[4]


def test_it_writes_off_what_the_exchange_would_not_take_back():
    costs = replace(FREE, participation=D("0.1"))
    market = series_of(*[FLAT] * 4)
    market.candles.volume[1] = 0.2

    outcome = run(market, at(enter=[0]), costs=costs)

    assert (outcome.trades, outcome.written_off, outcome.executions) == ((), 1, 1)
    assert outcome.end_equity == D(100_000)


def test_it_waits_for_the_order_to_arrive():
    late = replace(FREE, latency_ms=90 * 60_000)
    candles = [FLAT, (101, 101, 101, 101), (102, 102, 102, 102), (103, 103, 103, 103), FLAT]

    outcome = run(series_of(*candles), at(enter=[0]), costs=late, is_closed_at_end=True)

    # 1.5 hours after the first close is inside the third candle; its open stands for the price.
    assert outcome.trades[0].entry_price == D(102)
    assert outcome.trades[0].opened_ms == outcome.timeline[0] + 90 * 60_000
    assert outcome.reasons["rule"]["ORDER_PENDING"] == 1


def test_it_obeys_the_gate():
    limits = RiskLimits(max_position_size=D(500))

    outcome = run(series_of(*[FLAT] * 4), at(enter=[0, 1]), limits=limits)

    assert outcome.trades == ()
    assert outcome.denials == {"POSITION_NOTIONAL": 2}
    assert [asked.denial for asked in outcome.asked] == ["POSITION_NOTIONAL"] * 2


def test_it_stops_entering_after_the_daily_loss_until_midnight():
    # Rows 0 to 23 are one UTC day and more: the market starts at midnight.
    fall = [(100, 100, 100, 100), (100, 100, 90, 90), *[(90, 90, 90, 90)] * 30]
    start_ms = 1_700_006_400_000 // 86_400_000 * 86_400_000
    market = Series(
        rules=rules(), timeframe=Timeframe.H1, candles=by_hand(*fall, start_ms=start_ms)
    )
    limits = RiskLimits(max_daily_loss=D(10))

    outcome = run(market, at(enter=[0, 5, 25]), limits=limits)

    assert outcome.denials == {"LOSS_DAILY": 1}
    assert [trade.opened_ms for trade in outcome.trades] == [
        start_ms + HOUR,
        start_ms + 26 * HOUR,
    ]


def test_it_shares_one_account_between_symbols():
    first = series_of(*[FLAT] * 4)
    second = series_of(*[FLAT] * 4, symbol="ETHUSDT", instrument_id=2)

    outcome = run([first, second], at(enter=[0], notional="600"), cash=D(1000))

    assert [trade.symbol for trade in outcome.trades] == ["BTCUSDT"]
    assert outcome.denials == {"BALANCE_QUOTE": 1}


def test_it_leaves_a_position_to_the_strategy_that_opened_it():
    outcome = run(
        series_of(*[FLAT] * 6),
        at(enter=[0], leave=[4], name="first"),
        at(enter=[1], leave=[2], name="second"),
    )

    (trade,) = outcome.trades
    assert (trade.strategy, trade.bars) == ("first", 4)
    assert outcome.reasons["second"]["POSITION_NOT_OURS"] == 4


def test_it_values_the_account_at_every_close():
    outcome = run(
        series_of(FLAT, (100, 104, 100, 104), (104, 104, 101, 101), FLAT),
        at(enter=[0]),
        is_closed_at_end=False,
    )

    assert outcome.equity.tolist() == [100_000, 100_040, 100_010, 100_000]
    assert outcome.exposure.round(4).tolist() == [0.0, 0.0104, 0.0101, 0.01]


def test_it_counts_every_close_once():
    outcome = run(series_of(*[FLAT] * 9), at(enter=[2], leave=[5]))

    assert outcome.reasons["rule"] == {
        "NO_SIGNAL": 5,
        "KEEP_POSITION": 2,
        "SIGNAL": 1,
        "EXIT_REVERSAL": 1,
    }


@pytest.mark.parametrize(
    ("series", "strategies", "message"),
    [
        ([], [at()], "at least one symbol"),
        ([series_of(FLAT)], [], "at least one symbol"),
        ([series_of(FLAT), series_of(FLAT)], [at()], "may come once"),
    ],
)
def test_it_says_what_is_wrong_with_a_replay(series, strategies, message):
    with pytest.raises(ValueError, match=message):
        replay(series, strategies, Setup())


def test_it_refuses_candles_that_are_no_candles():
    with pytest.raises(ValueError, match="close of BTCUSDT must be finite"):
        series_of((100, 100, 100, float("nan")))


@pytest.mark.parametrize(
    ("style", "candles", "reason", "price"),
    [
        # rises to 103, so the stop stands at 100.94 when the price comes back
        ("TRAILING", [(100, 103, 100, 103), (103, 103, 100, 101)], "STOP_LOSS", "100.94"),
        # rises and falls within one candle: it closes below what its own high had raised
        ("TRAILING", [(100, 110, 100, 101)], "STOP_LOSS", "100"),
        # opens below the stop
        ("TRAILING", [(100, 103, 100, 103), (95, 96, 94, 95)], "STOP_LOSS", "95"),
        # without a target it goes on
        ("TRAILING", [(100, 120, 100, 120), (120, 130, 119, 130)], "END_OF_DATA", "130"),
        ("TRAILING_PAIR", [(100, 120, 100, 120)], "TAKE_PROFIT", "105"),
    ],
)
def test_a_stop_that_follows_the_best_price(style, candles, reason, price):
    terms = ProtectionTerms(style=ProtectionStyle(style), trailing_delta_bps=200)
    made = replace(at(enter=[0]), protection=terms)

    outcome = run(series_of(FLAT, FLAT, *candles), made)

    (trade,) = outcome.trades
    assert (trade.exit_reason, trade.exit_price) == (reason, D(price))
