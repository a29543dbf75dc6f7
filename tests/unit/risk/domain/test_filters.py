"""Each filter of the exchange at limit - 1, limit and limit + 1 of its own unit."""

from decimal import Decimal

import pytest

from tests.unit.risk.domain.builders import (
    codes,
    judge,
    make_entry,
    make_exit,
    make_exposure,
    make_holding,
    make_limits,
    make_portfolio,
    make_protection,
    make_rules,
)

D = Decimal
WIDE = make_limits(price_collar_fraction=D("0.2"))


def is_denied(code: str, proposal, portfolio=None, **changes) -> bool:
    return code in codes(judge(proposal, portfolio or make_portfolio(), limits=WIDE, **changes))


@pytest.mark.parametrize(
    ("price", "denied"), [("49999.99", False), ("50000", False), ("50000.005", True)]
)
def test_it_wants_prices_on_the_tick(price: str, denied: bool) -> None:
    assert is_denied("FILTER_PRICE", make_entry(price=D(price))) is denied


@pytest.mark.parametrize("field", ["stop_loss_price", "stop_limit_price", "take_profit_price"])
def test_it_wants_protective_prices_on_the_tick(field: str) -> None:
    price = getattr(make_entry(), field) + D("0.001")

    assert is_denied("FILTER_PRICE", make_entry(**{field: price}))


@pytest.mark.parametrize(
    ("lowest", "denied"), [("48509.99", False), ("48510", False), ("48510.01", True)]
)
def test_it_wants_prices_above_the_lowest(lowest: str, denied: bool) -> None:
    assert is_denied("FILTER_PRICE", make_entry(), rules=make_rules(min_price=D(lowest))) is denied


@pytest.mark.parametrize(
    ("highest", "denied"), [("52500.01", False), ("52500", False), ("52499.99", True)]
)
def test_it_wants_prices_below_the_highest(highest: str, denied: bool) -> None:
    assert is_denied("FILTER_PRICE", make_entry(), rules=make_rules(max_price=D(highest))) is denied


@pytest.mark.parametrize(
    ("quantity", "denied"), [("0.02", False), ("0.02001", False), ("0.020005", True)]
)
def test_it_wants_quantities_on_the_step(quantity: str, denied: bool) -> None:
    assert is_denied("FILTER_LOT_SIZE", make_entry(quantity=D(quantity))) is denied


@pytest.mark.parametrize(
    ("quantity", "denied"), [("0.00999", True), ("0.01", False), ("0.01001", False)]
)
def test_it_wants_the_smallest_quantity(quantity: str, denied: bool) -> None:
    rules = make_rules(min_quantity=D("0.01"))

    assert is_denied("FILTER_LOT_SIZE", make_entry(quantity=D(quantity)), rules=rules) is denied


@pytest.mark.parametrize(
    ("quantity", "denied"), [("0.00999", False), ("0.01", False), ("0.01001", True)]
)
def test_it_wants_at_most_the_largest_quantity(quantity: str, denied: bool) -> None:
    rules = make_rules(max_quantity=D("0.01"))

    assert is_denied("FILTER_LOT_SIZE", make_entry(quantity=D(quantity)), rules=rules) is denied


@pytest.mark.parametrize(
    ("quantity", "denied"), [("0.01999", False), ("0.02", False), ("0.02001", True)]
)
def test_it_wants_market_orders_below_their_own_limit(quantity: str, denied: bool) -> None:
    rules = make_rules(market_max_quantity=D("0.02"))
    portfolio = make_portfolio(make_exposure(position_quantity=D(1), base_balance=D(1)))
    proposal = make_exit(quantity=D(quantity))

    assert is_denied("FILTER_MARKET_LOT_SIZE", proposal, portfolio, rules=rules) is denied


def test_it_leaves_limit_orders_out_of_the_market_limit() -> None:
    rules = make_rules(market_max_quantity=D("0.00001"))

    assert not is_denied("FILTER_MARKET_LOT_SIZE", make_entry(), rules=rules)


@pytest.mark.parametrize(("leg_limit_price", "denied"), [(None, True), (D(48000), False)])
def test_the_market_limit_counts_for_a_pair_whose_stop_sells_at_the_market(
    leg_limit_price, denied: bool
) -> None:
    rules = make_rules(market_max_quantity=D("0.01"))
    pair = make_protection(leg_limit_price=leg_limit_price)

    denial = is_denied("FILTER_MARKET_LOT_SIZE", pair, make_portfolio(make_holding()), rules=rules)

    assert denial is denied


@pytest.mark.parametrize(
    ("least", "denied"), [("999.99", False), ("1000", False), ("1000.01", True)]
)
def test_it_wants_the_least_notional(least: str, denied: bool) -> None:
    rules = make_rules(min_notional=D(least))

    assert is_denied("FILTER_NOTIONAL", make_entry(), rules=rules) is denied


@pytest.mark.parametrize(
    ("most", "denied"), [("999.99", True), ("1000", False), ("1000.01", False)]
)
def test_it_wants_at_most_the_largest_notional(most: str, denied: bool) -> None:
    rules = make_rules(max_notional=D(most))

    assert is_denied("FILTER_NOTIONAL", make_entry(), rules=rules) is denied


@pytest.mark.parametrize(("least", "denied"), [("800", False), ("800.01", True)])
def test_it_measures_a_stop_that_sells_at_the_market_at_its_trigger(least, denied: bool) -> None:
    stop = make_exit(type="STOP_LOSS", stop_price=D(40000))
    rules = make_rules(min_notional=D(least))

    assert is_denied("FILTER_NOTIONAL", stop, make_portfolio(make_holding()), rules=rules) is denied


def test_it_measures_a_stop_with_a_limit_at_that_limit() -> None:
    stop = make_entry(type="STOP_LOSS_LIMIT", stop_price=D(51000), price=D(51500))

    assert not is_denied("FILTER_NOTIONAL", stop, rules=make_rules(min_notional=D(1030)))
    assert is_denied("FILTER_NOTIONAL", stop, rules=make_rules(min_notional=D("1030.01")))


def test_it_leaves_the_stop_that_will_protect_an_entry_out_of_the_entrys_worth() -> None:
    pair = make_entry(
        type="OCO",
        time_in_force=None,
        price=D(49000),
        stop_price=D(51000),
        stop_limit_price=D(40000),
    )

    assert not is_denied("FILTER_NOTIONAL", pair, rules=make_rules(min_notional=D(980)))
    assert is_denied("FILTER_NOTIONAL", pair, rules=make_rules(min_notional=D("980.01")))


def test_it_measures_an_oco_at_its_cheapest_leg() -> None:
    rules = make_rules(min_notional=D("970.3"))
    portfolio = make_portfolio(make_holding())

    assert is_denied("FILTER_NOTIONAL", make_protection(), portfolio, rules=rules)


@pytest.mark.parametrize(
    ("price", "denied"), [("54999.99", False), ("55000", False), ("55000.01", True)]
)
def test_it_wants_a_buy_below_its_multiple_of_the_reference(price: str, denied: bool) -> None:
    rules = make_rules(bid_multiplier_up=D("1.1"))

    assert is_denied("FILTER_PERCENT_PRICE", make_entry(price=D(price)), rules=rules) is denied


@pytest.mark.parametrize(
    ("price", "denied"), [("44999.99", True), ("45000", False), ("45000.01", False)]
)
def test_it_wants_a_buy_above_its_multiple_of_the_reference(price: str, denied: bool) -> None:
    rules = make_rules(bid_multiplier_down=D("0.9"))

    assert is_denied("FILTER_PERCENT_PRICE", make_entry(price=D(price)), rules=rules) is denied


@pytest.mark.parametrize(("up", "denied"), [("1.04", True), ("1.05", False), ("1.06", False)])
def test_it_measures_sales_by_the_ask(up: str, denied: bool) -> None:
    rules = make_rules(ask_multiplier_up=D(up), bid_multiplier_up=D(1))
    portfolio = make_portfolio(make_holding())

    assert is_denied("FILTER_PERCENT_PRICE", make_protection(), portfolio, rules=rules) is denied


@pytest.mark.parametrize(("open_orders", "denied"), [(8, False), (9, False), (10, True)])
def test_it_counts_the_open_orders_of_the_symbol(open_orders: int, denied: bool) -> None:
    rules = make_rules(max_open_orders=10)
    portfolio = make_portfolio(make_exposure(open_orders=open_orders))

    assert is_denied("FILTER_MAX_ORDERS", make_entry(), portfolio, rules=rules) is denied


@pytest.mark.parametrize(("open_orders", "denied"), [(7, False), (8, False), (9, True)])
def test_it_counts_an_oco_as_two_orders(open_orders: int, denied: bool) -> None:
    rules = make_rules(max_open_orders=10)
    portfolio = make_portfolio(make_holding(open_orders=open_orders))

    assert is_denied("FILTER_MAX_ORDERS", make_protection(), portfolio, rules=rules) is denied


@pytest.mark.parametrize(("algo_orders", "denied"), [(3, False), (4, False), (5, True)])
def test_it_counts_the_open_stops_of_the_symbol(algo_orders: int, denied: bool) -> None:
    portfolio = make_portfolio(make_holding(open_algo_orders=algo_orders))

    assert is_denied("FILTER_MAX_ALGO_ORDERS", make_protection(), portfolio) is denied
    crowded = make_portfolio(make_holding(open_algo_orders=algo_orders + 2))
    assert not is_denied("FILTER_MAX_ALGO_ORDERS", make_exit(), crowded)


BY_HAND = {
    "is_manual": True,
    "price": None,
    "time_in_force": None,
    "stop_loss_price": None,
    "stop_limit_price": None,
    "take_profit_price": None,
}
HELD = make_portfolio(make_exposure(position_quantity=D(1), base_balance=D(1)))


@pytest.mark.parametrize(
    ("side", "delta", "denied"),
    [
        ("BUY", 9, True),
        ("BUY", 10, False),
        ("BUY", 2000, False),
        ("BUY", 2001, True),
        ("SELL", 19, True),
        ("SELL", 20, False),
        ("SELL", 1000, False),
        ("SELL", 1001, True),
    ],
)
def test_it_wants_the_distance_of_a_trailing_stop_within_the_bounds_of_its_side(
    side: str, delta: int, denied: bool
) -> None:
    rules = make_rules(trailing_above_bps=(10, 2000), trailing_below_bps=(20, 1000))
    trailing = make_entry(**BY_HAND, side=side, type="STOP_LOSS", trailing_delta_bps=delta)

    verdict = judge(trailing, HELD, rules=rules)

    assert ("FILTER_TRAILING_DELTA" in codes(verdict)) is denied
    [answer] = [check for check in verdict.checks if check.code == "FILTER_TRAILING_DELTA"]
    assert answer.value == str(delta)


@pytest.mark.parametrize("delta", [1, 10_000])
def test_it_takes_any_distance_where_the_exchange_sets_none(delta: int) -> None:
    trailing = make_entry(**BY_HAND, type="STOP_LOSS", trailing_delta_bps=delta)

    assert not is_denied("FILTER_TRAILING_DELTA", trailing)
    assert not is_denied("FILTER_TRAILING_DELTA", make_entry())


BELOW, MARKET, ABOVE = D("49999.99"), D(50000), D("50000.01")


@pytest.mark.parametrize("price", [BELOW, MARKET, ABOVE], ids=str)
@pytest.mark.parametrize(
    ("kind", "side", "right"),
    [
        ("STOP_LOSS", "BUY", ABOVE),
        ("STOP_LOSS", "SELL", BELOW),
        ("TAKE_PROFIT", "BUY", BELOW),
        ("TAKE_PROFIT", "SELL", ABOVE),
    ],
)
def test_it_wants_a_stop_on_its_side_of_the_market(kind, side, right, price) -> None:
    stop = make_entry(**BY_HAND, type=kind, side=side, stop_price=price)

    verdict = judge(stop, HELD)

    assert ("TRIGGER_SIDE" in codes(verdict)) is (price != right)
    [answer] = [check for check in verdict.checks if check.code == "TRIGGER_SIDE"]
    wanted = "stop above 50000" if right == ABOVE else "stop below 50000"
    assert (answer.limit, answer.value) == (wanted, str(price))


@pytest.mark.parametrize("stop_price", [BELOW, MARKET, ABOVE], ids=str)
@pytest.mark.parametrize("price", [BELOW, MARKET, ABOVE], ids=str)
@pytest.mark.parametrize(("side", "right"), [("BUY", (ABOVE, BELOW)), ("SELL", (BELOW, ABOVE))])
def test_it_wants_both_legs_of_a_pair_on_their_sides(side, right, stop_price, price) -> None:
    terms = {**BY_HAND, "price": price, "stop_price": stop_price}
    pair = make_entry(**terms, type="OCO", side=side)

    assert is_denied("TRIGGER_SIDE", pair, HELD) is ((stop_price, price) != right)


def test_it_finds_nothing_that_could_trigger_in_a_limit_order_or_a_trailing_stop() -> None:
    trailing = make_entry(**BY_HAND, type="STOP_LOSS", trailing_delta_bps=100)

    assert not is_denied("TRIGGER_SIDE", trailing)
    assert not is_denied("TRIGGER_SIDE", make_entry())


@pytest.mark.parametrize("status", ["HALT", "BREAK", "CANCEL_ONLY", "", "trading"])
def test_it_wants_a_symbol_that_trades(status: str) -> None:
    assert is_denied("SYMBOL_NOT_TRADING", make_entry(), rules=make_rules(status=status))


def test_it_takes_a_rule_that_the_exchange_does_not_set_as_no_limit() -> None:
    rules = make_rules(
        max_quantity=None,
        market_max_quantity=None,
        max_notional=None,
        min_price=D(0),
        max_price=None,
        bid_multiplier_up=None,
        bid_multiplier_down=None,
        ask_multiplier_up=None,
        ask_multiplier_down=None,
        max_open_orders=None,
        max_algo_orders=None,
    )

    assert judge(rules=rules).approved


def test_it_divides_the_widest_numbers_exactly() -> None:
    rules = make_rules(step_size=D("1e-18"), max_quantity=None, tick_size=D("1e-18"))
    proposal = make_entry(quantity=D("99999999999999999999.999999999999999999"))

    assert "FILTER_LOT_SIZE" not in codes(judge(proposal, rules=rules))
