"""Commission, after the documentation's FAQ."""

from decimal import Decimal

import pytest

from simexchange.engine.commission import Commission, Rates, read_commission
from tests.fakes.sim_exchange import Desk

FAQ = {
    "standard": {
        "maker": "0.00000010",
        "taker": "0.00000020",
        "buyer": "0.00000030",
        "seller": "0.00000040",
    },
    "special": {"maker": "0.01", "taker": "0.02", "buyer": "0.03", "seller": "0.04"},
    "tax": {
        "maker": "0.00000112",
        "taker": "0.00000114",
        "buyer": "0.00000118",
        "seller": "0.00000116",
    },
    "discount": "0.25",
    "has_discount": True,
}
RECEIVED = Decimal(35000) * Decimal("0.49975")


def test_it_adds_role_and_side_of_the_three_kinds() -> None:
    commission = read_commission(FAQ, Commission())

    plain = RECEIVED * commission.fraction(is_maker=False, is_buyer=False)

    standard, tax, special = Decimal("0.01049475"), Decimal("0.040229875"), Decimal("1049.475")
    assert plain == standard + tax + special
    in_bnb = RECEIVED * commission.discounted(is_maker=False, is_buyer=False) / 260
    assert in_bnb == (standard * Decimal("0.25") + tax + special) / 260


def test_it_pays_in_bnb_while_there_is_some() -> None:
    desk = Desk()
    desk.account.commission = Commission(
        standard=Rates(maker=Decimal("0.001"), taker=Decimal("0.001")), has_discount=True
    )
    desk.exchange.rules["BNBUSDT"] = desk.exchange.rules["BTCUSDT"]
    desk.market.last = Decimal(100)
    desk.account.credit("BNB", Decimal("0.001"))

    rich = desk.place("SELL", quantity="1")
    desk.account.balance("BNB").free = Decimal(0)
    poor = desk.place("SELL", quantity="1")

    # 99 USDT received, a tenth of a percent less a quarter, at the last price of 99 USDT.
    assert (rich.fills[0].fee_asset, rich.fills[0].fee) == ("BNB", Decimal("0.00075"))
    assert (poor.fills[0].fee_asset, poor.fills[0].fee) == ("USDT", Decimal("0.099"))


@pytest.mark.parametrize(
    "data",
    [
        {"standard": {"maker": "2"}},
        {"standard": {"broker": "0.1"}},
        {"standard": "0.1"},
        {"rebate": "0.1"},
    ],
)
def test_it_refuses_what_is_no_commission(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must lie|takes|commission has"):
        read_commission(data, Commission())


def test_it_comes_back_from_its_record() -> None:
    commission = read_commission(FAQ, Commission())

    assert read_commission(commission.record(), Commission()) == commission
