"""Each limit of ours at limit - 1, limit and limit + 1 of its own unit."""

from datetime import timedelta
from decimal import Decimal

import pytest

from risk.domain.snapshot import RecentOrder
from tests.unit.risk.domain.builders import (
    NOW,
    codes,
    judge,
    make_entry,
    make_exit,
    make_exposure,
    make_holding,
    make_limits,
    make_portfolio,
    make_protection,
    make_reference,
    make_rules,
)

D = Decimal
TICK = timedelta(microseconds=1)


def is_denied(code: str, proposal=None, portfolio=None, **changes) -> bool:
    return code in codes(judge(proposal, portfolio, **changes))


@pytest.mark.parametrize(
    ("limit", "denied"), [("1000.01", False), ("1000", False), ("999.99", True)]
)
def test_it_limits_one_order(limit: str, denied: bool) -> None:
    limits = make_limits(max_order_notional=D(limit))

    assert is_denied("ORDER_NOTIONAL", limits=limits) is denied


@pytest.mark.parametrize(
    ("limit", "denied"), [("1000.01", False), ("1000", False), ("999.99", True)]
)
def test_it_limits_the_position(limit: str, denied: bool) -> None:
    limits = make_limits(max_position_size=D(limit))

    assert is_denied("POSITION_NOTIONAL", limits=limits) is denied


@pytest.mark.parametrize(
    ("limit", "denied"), [("3500.01", False), ("3500", False), ("3499.99", True)]
)
def test_it_counts_position_and_live_buys_as_filled(limit: str, denied: bool) -> None:
    exposure = make_exposure(
        position_quantity=D("0.03"), pending_buy_quantity=D("0.02"), pending_buy_notional=D(1000)
    )
    limits = make_limits(max_position_size=D(limit))

    denied_now = is_denied("POSITION_NOTIONAL", None, make_portfolio(exposure), limits=limits)

    assert denied_now is denied


@pytest.mark.parametrize(("mark", "limit"), [(None, 2000), ("60000", 2200), ("40000", 2000)])
def test_it_values_a_position_at_the_dearer_of_mark_and_reference(mark, limit) -> None:
    exposure = make_exposure(
        position_quantity=D("0.02"), mark_price=None if mark is None else D(mark)
    )

    def denied(size: int) -> bool:
        limits = make_limits(max_position_size=D(size))
        return is_denied("POSITION_NOTIONAL", None, make_portfolio(exposure), limits=limits)

    assert not denied(limit)
    assert denied(limit - 1)


def test_it_does_not_let_a_live_sale_make_room() -> None:
    exposure = make_exposure(position_quantity=D("0.19"), pending_exit_quantity=D("0.19"))

    assert is_denied("POSITION_NOTIONAL", None, make_portfolio(exposure))


def test_it_values_a_market_order_at_the_reference() -> None:
    proposal = make_entry(type="MARKET", price=None, time_in_force=None, quantity=D("0.20001"))

    assert is_denied("POSITION_NOTIONAL", proposal)


def test_it_takes_the_median_of_the_references() -> None:
    references = tuple(make_reference(price) for price in ("1", "50000", "50010"))

    assert make_entry(references=references).reference == D(50000)


@pytest.mark.parametrize(("others", "denied"), [(1, False), (2, False), (3, True)])
def test_it_limits_the_number_of_positions(others: int, denied: bool) -> None:
    held = [
        make_exposure(instrument_id=10 + index, position_quantity=D(1)) for index in range(others)
    ]
    limits = make_limits(max_positions=3)

    assert is_denied("POSITION_COUNT", None, make_portfolio(*held), limits=limits) is denied


def test_it_counts_symbols_that_an_order_may_open() -> None:
    pending = make_exposure(instrument_id=2, pending_buy_quantity=D(1))
    limits = make_limits(max_positions=1)

    assert is_denied("POSITION_COUNT", None, make_portfolio(pending), limits=limits)


def test_it_does_not_count_the_same_symbol_twice() -> None:
    limits = make_limits(max_positions=1)

    assert not is_denied("POSITION_COUNT", None, make_portfolio(make_holding()), limits=limits)


@pytest.mark.parametrize(("others", "denied"), [(1, False), (2, False), (3, True)])
def test_it_limits_open_orders_over_all_symbols(others: int, denied: bool) -> None:
    busy = make_exposure(instrument_id=9, open_orders=others)
    limits = make_limits(max_open_orders=3)

    assert is_denied("ORDER_COUNT", None, make_portfolio(busy), limits=limits) is denied


@pytest.mark.parametrize(
    ("equity", "denied"), [("19000.01", False), ("19000", True), ("18999.99", True)]
)
def test_it_stops_entries_at_the_daily_loss(equity: str, denied: bool) -> None:
    portfolio = make_portfolio(equity=D(equity))

    assert is_denied("LOSS_DAILY", None, portfolio) is denied


@pytest.mark.parametrize(
    ("equity", "denied"), [("18000.01", False), ("18000", True), ("17999.99", True)]
)
def test_it_stops_entries_at_the_drawdown(equity: str, denied: bool) -> None:
    portfolio = make_portfolio(equity=D(equity))

    assert is_denied("LOSS_DRAWDOWN", None, portfolio) is denied


@pytest.mark.parametrize("unknown", ["equity", "day_start_equity", "high_water_mark"])
def test_it_stops_entries_while_equity_is_unknown(unknown: str) -> None:
    verdict = judge(None, make_portfolio(**{unknown: None}))

    assert not verdict.approved


@pytest.mark.parametrize(
    ("age", "denied"),
    [
        (timedelta(seconds=600) - TICK, False),
        (timedelta(seconds=600), False),
        (timedelta(seconds=600) + TICK, True),
        (timedelta(seconds=-5), False),
        (timedelta(seconds=-5) - TICK, True),
    ],
)
def test_it_wants_young_data(age: timedelta, denied: bool) -> None:
    assert is_denied("DATA_STALE", make_entry(data_at=NOW - age)) is denied


@pytest.mark.parametrize(
    ("price", "denied"),
    [
        ("50999.99", False),
        ("51000", False),
        ("51000.01", True),
        ("49000", False),
        ("48999.99", True),
    ],
)
def test_it_holds_prices_in_the_collar(price: str, denied: bool) -> None:
    assert is_denied("PRICE_COLLAR", make_entry(price=D(price))) is denied


def make_waiting(**changes):
    """What a person lets wait for a price 20 % above the market."""
    values = {
        "type": "STOP_LOSS_LIMIT",
        "time_in_force": "GTC",
        "stop_price": D(60000),
        "is_manual": True,
        "stop_loss_price": None,
        "stop_limit_price": None,
        "take_profit_price": None,
    }
    return make_entry(**{**values, **changes})


@pytest.mark.parametrize(("price", "denied"), [("61200", False), ("61200.01", True)])
def test_it_measures_what_waits_for_a_stop_price_from_that(price: str, denied: bool) -> None:
    assert is_denied("PRICE_COLLAR", make_waiting(price=D(price))) is denied


@pytest.mark.parametrize(("price", "denied"), [("51000", False), ("51000.01", True)])
def test_it_measures_a_trailing_stop_without_a_price_from_the_market(price, denied) -> None:
    trailing = make_waiting(price=D(price), stop_price=None, trailing_delta_bps=100)

    assert is_denied("PRICE_COLLAR", trailing) is denied


@pytest.mark.parametrize(("price", "denied"), [("61200", False), ("61200.01", True)])
def test_it_measures_the_stop_leg_of_a_pair_and_not_its_target(price, denied) -> None:
    pair = make_waiting(type="OCO", time_in_force=None, price=D(40000), leg_limit_price=D(price))

    assert is_denied("PRICE_COLLAR", pair) is denied


def test_it_holds_no_market_order_in_the_collar_and_says_how_wide_that_is() -> None:
    verdict = judge(make_entry(type="MARKET", price=None, time_in_force=None))

    [answer] = [check for check in verdict.checks if check.code == "PRICE_COLLAR"]
    assert (answer.passed, answer.limit, answer.value) == (True, "0.02", "")


def test_it_refuses_a_second_order_for_the_same_leg() -> None:
    portfolio = make_portfolio(live_keys=frozenset({"1:ENTRY:1"}))

    assert codes(judge(None, portfolio)) == ["DUPLICATE_INTENT"]


@pytest.mark.parametrize(
    ("age", "denied"),
    [(timedelta(seconds=5) - TICK, True), (timedelta(seconds=5), False)],
)
def test_it_refuses_the_same_order_within_seconds(age: timedelta, denied: bool) -> None:
    portfolio = make_portfolio(recent_orders=(make_recent(created_at=NOW - age),))

    assert is_denied("DUPLICATE_ORDER", None, portfolio) is denied


@pytest.mark.parametrize(
    "change",
    [
        {"instrument_id": 2},
        {"strategy_id": 4},
        {"side": "SELL"},
        {"quantity": D("0.03")},
        {"price": D(50001)},
    ],
    ids=str,
)
def test_it_takes_another_order_within_seconds(change) -> None:
    portfolio = make_portfolio(recent_orders=(make_recent(**change),))

    assert not is_denied("DUPLICATE_ORDER", None, portfolio)


@pytest.mark.parametrize(
    ("free", "denied"), [("1011.01", False), ("1011", False), ("1010.99", True)]
)
def test_it_wants_quote_for_notional_fee_and_reserve(free: str, denied: bool) -> None:
    portfolio = make_portfolio(quote_balance=D(free) + 500, reserved_quote=D(500))

    assert is_denied("BALANCE_QUOTE", None, portfolio) is denied


@pytest.mark.parametrize(
    ("quantity", "denied"), [("0.01999", False), ("0.02", False), ("0.02001", True)]
)
def test_it_forbids_short_positions(quantity: str, denied: bool) -> None:
    portfolio = make_portfolio(make_exposure(position_quantity=D("0.02"), base_balance=D(1)))
    proposal = make_entry(
        side="SELL", is_manual=True, stop_loss_price=None, take_profit_price=None,
        stop_limit_price=None, quantity=D(quantity),
    )  # fmt: skip

    assert is_denied("POSITION_SHORT", proposal, portfolio) is denied


@pytest.mark.parametrize(
    ("quantity", "denied"), [("0.00499", False), ("0.005", False), ("0.00501", True)]
)
def test_it_lets_a_reduction_take_what_open_exits_leave(quantity: str, denied: bool) -> None:
    portfolio = make_portfolio(make_holding(pending_exit_quantity=D("0.015")))

    proposal = make_exit(quantity=D(quantity))

    assert is_denied("REDUCE_ONLY_INCREASES", proposal, portfolio) is denied


def test_it_lets_an_exit_replace_the_protection_but_not_a_second_protection() -> None:
    portfolio = make_portfolio(make_holding(protective_quantity=D("0.02")))

    assert judge(make_exit(), portfolio).approved
    assert is_denied("REDUCE_ONLY_INCREASES", make_protection(), portfolio)


@pytest.mark.parametrize(
    ("balance", "denied"), [("0.02001", False), ("0.02", False), ("0.01999", True)]
)
def test_it_wants_the_base_that_a_sale_needs(balance: str, denied: bool) -> None:
    exposure = make_exposure(position_quantity=D("0.02"), base_balance=D(balance))

    assert is_denied("BALANCE_BASE", make_exit(), make_portfolio(exposure)) is denied


def test_it_enters_nothing_before_the_books_are_reconciled() -> None:
    unknown = {"last_reconciled_at": None}

    assert codes(judge(None, make_portfolio(**unknown))) == ["RECONCILE_NOT_GREEN"]
    # What reduces a position is not refused for it; a start holds it back until the comparison.
    assert judge(make_exit(), make_portfolio(make_holding(), **unknown)).approved


def test_it_enters_nothing_while_an_order_of_the_symbol_is_in_doubt() -> None:
    doubtful = make_portfolio(make_exposure(has_unresolved=True))
    elsewhere = make_portfolio(make_exposure(instrument_id=2, has_unresolved=True))

    assert codes(judge(None, doubtful)) == ["SYMBOL_UNRESOLVED"]
    assert judge(None, elsewhere).approved


@pytest.mark.parametrize(
    ("least", "denied"), [("969.22", False), ("969.2298", False), ("969.23", True)]
)
def test_it_wants_the_stop_placeable_after_the_fee(least: str, denied: bool) -> None:
    # 0.02 less 0.1 % is 0.01998 (on the step); at the stop's limit 48510 that is 969.2298
    verdict = judge(rules=make_rules(min_notional=D(least)))

    [answer] = [check for check in verdict.checks if check.code == "STOP_NOT_PLACEABLE"]
    assert answer.passed is not denied
    assert ("smallest notional" in answer.value) is denied


@pytest.mark.parametrize(
    "change",
    [
        {"stop_loss_price": None},
        {"stop_limit_price": None},
        {"take_profit_price": None},
        {"stop_loss_price": D(50000)},
        {"stop_limit_price": D(49000)},
        {"take_profit_price": D(50000)},
    ],
    ids=str,
)
def test_it_enters_nothing_that_cannot_be_protected(change) -> None:
    assert is_denied("STOP_NOT_PLACEABLE", make_entry(**change))


def test_no_strategy_enters_without_any_protection() -> None:
    naked = {"stop_loss_price": None, "stop_limit_price": None, "take_profit_price": None}

    assert is_denied("STOP_NOT_PLACEABLE", make_entry(**naked))


@pytest.mark.parametrize("missing", ["stop_loss_price", "take_profit_price"])
def test_a_person_protects_whole_or_not_at_all(missing: str) -> None:
    assert is_denied("STOP_NOT_PLACEABLE", make_entry(is_manual=True, **{missing: None}))


def test_it_lets_a_person_enter_without_protection() -> None:
    proposal = make_entry(
        is_manual=True, stop_loss_price=None, stop_limit_price=None, take_profit_price=None
    )

    verdict = judge(proposal)

    assert verdict.approved
    [answer] = [check for check in verdict.checks if check.code == "STOP_NOT_PLACEABLE"]
    assert answer.value == "none wanted"


def make_recent(**changes) -> RecentOrder:
    values = {
        "instrument_id": 1,
        "strategy_id": 3,
        "side": "BUY",
        "quantity": D("0.02"),
        "price": D(50000),
        "created_at": NOW,
    }
    return RecentOrder(**{**values, **changes})
