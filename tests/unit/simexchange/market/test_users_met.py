"""The modelled book comes to users' orders: they are filled then, not at the next print."""

from decimal import Decimal

import pytest

from simexchange.engine.orders import Order, OrderRequest
from simexchange.market.opening import MarketOptions
from simexchange.market.publicbook import BUY, SELL
from simexchange.market.symbolstate import SymbolState
from simexchange.program import Options, Program

SYMBOL = "BTCUSDT"


@pytest.fixture
def program() -> Program:
    market = MarketOptions(
        symbols=(SYMBOL,), history_days=1, manual=True, start_ms=1_790_000_000_000, regime="range"
    )
    return Program(Options(market=market, balances={"BTC": Decimal(1_000), "USDT": Decimal(10**9)}))


def limit(program: Program, side: str, price: Decimal, quantity: Decimal) -> Order:
    request = OrderRequest(
        symbol=SYMBOL, side=side, type="LIMIT", time_in_force="GTC", price=price, quantity=quantity
    )
    return program.exchange.place(program.account, request)


def best(state: SymbolState, now_ms: int) -> tuple[int, int]:
    (bid, _), (ask, _) = state.book.best(now_ms)
    return bid, ask


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_spread_that_narrows_over_an_order_fills_it(program: Program, side: str) -> None:
    state, now_ms = program.market.states[SYMBOL], program.clock.now_ms()
    state.book.set_shape(spread_ticks=500, depth=1.0)
    bid, ask = best(state, now_ms)
    inside = state.grid.price((bid + ask) // 2)
    order = limit(program, side, inside, Decimal("0.5"))
    assert order.status == "NEW"

    state.book.move(ask if side == "SELL" else bid, is_buyer_maker=side == "BUY")
    state.book.set_shape(spread_ticks=1, depth=1.0)
    if side == "BUY":
        state.book.move(bid, is_buyer_maker=True)
    program.market.catch_up()

    assert order.status == "FILLED"
    assert [fill.price for fill in order.fills] == [inside]
    assert order.fills[0].is_maker
    bid, ask = best(state, now_ms)
    assert bid < ask


def test_depth_that_comes_back_meets_the_order_that_took_it(program: Program) -> None:
    state = program.market.states[SYMBOL]
    ticks, units = state.book.ladder(SELL, program.clock.now_ms(), 1)[0]
    there = state.grid.quantity(units)
    order = limit(program, "BUY", state.grid.price(ticks), there + Decimal(1))
    assert order.status == "PARTIALLY_FILLED"
    filled = [order.executed]

    for _ in range(40):
        program.clock.advance(250)
        program.market.catch_up()
        bid, ask = best(state, program.clock.now_ms())
        assert bid < ask
        filled.append(order.executed)

    assert filled == sorted(filled)
    assert filled[-1] > filled[0] == there
    assert program.account.balance("BTC").free > 1_000 + there * Decimal("0.99")


def test_an_order_that_nobody_comes_to_stays(program: Program) -> None:
    state = program.market.states[SYMBOL]
    ticks, _ = state.book.ladder(BUY, program.clock.now_ms(), 1)[0]
    order = limit(program, "BUY", state.grid.price(ticks) * Decimal("0.6"), Decimal(1))

    program.clock.advance(5_000)
    program.market.catch_up()

    assert order.status == "NEW"
