from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markets.domain.instrument import InstrumentRules

GRIDS = st.sampled_from(
    [Decimal(text) for text in ("0.000000000000000001", "0.00001", "0.01", "0.25", "1", "100")]
)
NUMBERS = st.decimals(min_value=0, max_value=Decimal(10) ** 19, places=18)


def rules(*, tick: Decimal = Decimal("0.01"), step: Decimal = Decimal("0.001")) -> InstrumentRules:
    return InstrumentRules(
        instrument_id=1,
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        status="TRADING",
        tick_size=tick,
        step_size=step,
    )


@given(quantity=NUMBERS, step=GRIDS)
def test_it_rounds_a_quantity_down_once(quantity: Decimal, step: Decimal) -> None:
    rounded = rules(step=step).quantize_quantity(quantity)

    assert 0 <= quantity - rounded < step
    assert rounded % step == 0 if rounded < Decimal(10) ** 9 else True
    assert rules(step=step).quantize_quantity(rounded) == rounded


@given(price=NUMBERS, tick=GRIDS)
def test_it_rounds_a_price_to_the_safe_side(price: Decimal, tick: Decimal) -> None:
    bid = rules(tick=tick).quantize_price(price, "BUY")
    ask = rules(tick=tick).quantize_price(price, "SELL")

    assert bid <= price <= ask
    assert ask - bid in (0, tick)
    assert rules(tick=tick).quantize_price(bid, "SELL") == bid
    assert rules(tick=tick).quantize_price(ask, "BUY") == ask


@pytest.mark.parametrize("number", [Decimal(-1), Decimal("NaN"), Decimal("Infinity"), 1.5])
def test_it_refuses_what_is_no_quantity(number: Decimal) -> None:
    with pytest.raises(ValueError, match="quantity must be"):
        rules().quantize_quantity(number)


def test_it_refuses_another_side_and_another_grid() -> None:
    with pytest.raises(ValueError, match="BUY or SELL"):
        rules().quantize_price(Decimal(1), "LONG")
    with pytest.raises(ValueError, match="tick_size of BTCUSDT"):
        rules(tick=Decimal(0))
