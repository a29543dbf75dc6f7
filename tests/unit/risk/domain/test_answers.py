"""Each check says what is allowed and what was found: the explanation that is kept for ever."""

from datetime import timedelta
from decimal import Decimal

import pytest

from risk.domain.results import Context, result
from risk.domain.schema import check_form, check_numbers
from risk.domain.trading_state import Level
from tests.unit.risk.domain.builders import (
    NOW,
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
    make_state,
)

D = Decimal
NO_RULES = make_rules(
    tick_size=D("0.01"),
    max_quantity=None,
    market_max_quantity=None,
    max_notional=None,
    max_open_orders=None,
    max_algo_orders=None,
)


def answers(verdict) -> dict[str, tuple[bool, str, str]]:
    return {check.code.value: (check.passed, check.limit, check.value) for check in verdict.checks}


def test_it_explains_an_approved_entry() -> None:
    assert answers(judge()) == {
        "SCHEMA_NOT_FINITE": (True, "", ""),
        "SCHEMA_INVALID": (True, "", ""),
        "LIMITS_MISSING": (True, "", ""),
        "RULES_MISSING": (True, "", ""),
        "STATE_LEVEL": (True, "ACTIVE", "ENTRY"),
        "STATE_STOPPED": (True, "running", "running"),
        "SYMBOL_NOT_TRADING": (True, "TRADING", "TRADING"),
        "DUPLICATE_INTENT": (True, "", "1:ENTRY:1"),
        "FILTER_PRICE": (True, "0.01", ""),
        "FILTER_LOT_SIZE": (True, "9000", "0.02"),
        "FILTER_MARKET_LOT_SIZE": (True, "100", "0.02"),
        "FILTER_NOTIONAL": (True, "9000000", "1000.00"),
        "FILTER_PERCENT_PRICE": (True, "", ""),
        "FILTER_MAX_ORDERS": (True, "200", "1"),
        "FILTER_MAX_ALGO_ORDERS": (True, "5", "0"),
        "FILTER_TRAILING_DELTA": (True, "0 to any bps", ""),
        "TRIGGER_SIDE": (True, "stop below 50000", ""),
        "POSITION_SHORT": (True, "0", "0.02"),
        "REDUCE_ONLY_INCREASES": (True, "0", "0.02"),
        "BALANCE_BASE": (True, "0", "0"),
        "RECONCILE_NOT_GREEN": (True, "", "2026-03-01 11:59:00+00:00"),
        "SYMBOL_UNRESOLVED": (True, "", ""),
        "DATA_STALE": (True, "600 s", "0 s"),
        "DUPLICATE_ORDER": (True, "5 s", ""),
        "LOSS_DAILY": (True, "1000", "0"),
        "LOSS_DRAWDOWN": (True, "0.1", "0"),
        "POSITION_COUNT": (True, "10", "1"),
        "POSITION_NOTIONAL": (True, "10000", "1000.00"),
        "ORDER_NOTIONAL": (True, "10000", "1000.00"),
        "ORDER_COUNT": (True, "50", "1"),
        "PRICE_COLLAR": (True, "0.02", "0"),
        "BALANCE_QUOTE": (True, "20000", "1011.00000"),
        "STOP_NOT_PLACEABLE": (True, "", ""),
    }


def test_it_explains_a_second_protection_of_what_is_already_being_sold() -> None:
    holding = make_holding(
        open_orders=3,
        open_algo_orders=1,
        protective_quantity=D("0.005"),
        pending_exit_quantity=D("0.001"),
    )

    found = answers(judge(make_protection(), make_portfolio(holding)))

    assert found["STATE_LEVEL"] == (True, "ACTIVE", "PROTECT")
    assert found["FILTER_NOTIONAL"] == (True, "9000000", "1050.00")  # the dearer leg
    assert found["FILTER_MAX_ORDERS"] == (True, "200", "5")  # an OCO is two
    assert found["FILTER_MAX_ALGO_ORDERS"] == (True, "5", "2")
    assert found["POSITION_SHORT"] == (False, "0.014", "0.02")
    assert found["REDUCE_ONLY_INCREASES"] == (False, "0.014", "0.02")
    assert found["BALANCE_BASE"] == (True, "0.02", "0.02")
    assert "RECONCILE_NOT_GREEN" not in found


def test_it_explains_with_no_number_what_the_exchange_does_not_limit() -> None:
    found = answers(judge(rules=NO_RULES))

    assert found["FILTER_LOT_SIZE"] == (True, "", "0.02")
    assert found["FILTER_MARKET_LOT_SIZE"] == (True, "", "0.02")
    assert found["FILTER_NOTIONAL"] == (True, "", "1000.00")
    assert found["FILTER_MAX_ORDERS"] == (True, "", "1")
    assert found["FILTER_MAX_ALGO_ORDERS"] == (True, "", "0")


@pytest.mark.parametrize(
    ("changes", "code", "limit", "value"),
    [
        ({"rules": make_rules(status="HALT")}, "SYMBOL_NOT_TRADING", "TRADING", "HALT"),
        ({"proposal": make_entry(price=D("50000.005"))}, "FILTER_PRICE", "0.01", "50000.005"),
        ({"rules": make_rules(min_price=D(48511))}, "FILTER_PRICE", "48511", "48510"),
        ({"rules": make_rules(max_price=D(52499))}, "FILTER_PRICE", "52499", "52500"),
        (
            {"proposal": make_entry(quantity=D("0.000011"))},
            "FILTER_LOT_SIZE",
            "0.00001",
            "0.000011",
        ),
        ({"rules": make_rules(min_quantity=D("0.03"))}, "FILTER_LOT_SIZE", "0.03", "0.02"),
        ({"rules": make_rules(max_quantity=D("0.01"))}, "FILTER_LOT_SIZE", "0.01", "0.02"),
        ({"rules": make_rules(min_notional=D(1001))}, "FILTER_NOTIONAL", "1001", "1000.00"),
        ({"rules": make_rules(max_notional=D(999))}, "FILTER_NOTIONAL", "999", "1000.00"),
        (
            {"rules": make_rules(bid_multiplier_up=D("0.9"))},
            "FILTER_PERCENT_PRICE",
            "45000.0",
            "50000",
        ),
        (
            {"rules": make_rules(bid_multiplier_down=D("1.1"))},
            "FILTER_PERCENT_PRICE",
            "55000.0",
            "50000",
        ),
        ({"state": make_state(Level.HALT)}, "STATE_LEVEL", "HALT", "ENTRY"),
        ({"state": make_state(is_running=False)}, "STATE_STOPPED", "running", "stopped"),
        (
            {"portfolio": make_portfolio(last_reconciled_at=None)},
            "RECONCILE_NOT_GREEN",
            "",
            "never",
        ),
        ({"portfolio": make_portfolio(equity=D(18000))}, "LOSS_DAILY", "1000", "2000"),
        ({"portfolio": make_portfolio(equity=D(18000))}, "LOSS_DRAWDOWN", "0.1", "0.1"),
        ({"portfolio": make_portfolio(equity=None)}, "LOSS_DAILY", "1000", "equity unknown"),
        (
            {"portfolio": make_portfolio(day_start_equity=None)},
            "LOSS_DAILY",
            "1000",
            "equity unknown",
        ),
        ({"portfolio": make_portfolio(equity=None)}, "LOSS_DRAWDOWN", "0.1", "equity unknown"),
        (
            {"portfolio": make_portfolio(high_water_mark=None)},
            "LOSS_DRAWDOWN",
            "0.1",
            "equity unknown",
        ),
        (
            {"proposal": make_entry(take_profit_price=None)},
            "STOP_NOT_PLACEABLE",
            "",
            "no protective prices",
        ),
        (
            {"proposal": make_entry(data_at=NOW - timedelta(seconds=601))},
            "DATA_STALE",
            "600 s",
            "601 s",
        ),
        ({"proposal": make_entry(price=D(52000))}, "PRICE_COLLAR", "0.02", "0.04"),
        ({"limits": make_limits(max_order_notional=D(999))}, "ORDER_NOTIONAL", "999", "1000.00"),
    ],
)  # fmt: skip
def test_it_explains_a_denial(changes, code: str, limit: str, value: str) -> None:
    assert answers(judge(**changes))[code] == (False, limit, value)


def test_it_names_the_number_that_is_none() -> None:
    for name in ("quantity", "price", "stop_loss_price", "stop_limit_price", "take_profit_price"):
        answer = check_numbers(make_entry(**{name: D(-1)}))
        assert answer[1:] == (False, "finite decimals above 0", f"{name} -1")
    answer = check_numbers(make_protection(stop_price=D(0)))
    assert answer.value == "stop_price 0"
    answer = check_numbers(make_entry(references=(make_reference(), make_reference("0"))))
    assert answer.value == "references[1] 0"
    long = check_numbers(make_entry(quantity="9" * 61))
    assert long.value == "quantity " + "9" * 60


@pytest.mark.parametrize(
    ("proposal", "value"),
    [
        (make_entry(side="HOLD"), "side 'HOLD'"),
        (make_entry(type="ICEBERG"), "type 'ICEBERG'"),
        (make_entry(price=None), "LIMIT needs price"),
        (make_entry(stop_price=D(1)), "LIMIT takes no stop_price: leave it out"),
        (make_entry(time_in_force=None), "LIMIT needs time_in_force"),
        (make_entry(time_in_force="GTX"), "time_in_force 'GTX'"),
        (make_entry(references=()), "no reference price"),
        (make_entry(bar_s=0), "bar_s 0"),
        (make_entry(bar_s=-1), "bar_s -1"),
        (make_exit(side="BUY"), "EXIT that is not a reduce-only SELL"),
        (make_protection(is_reduce_only=False), "PROTECT that is not a reduce-only SELL"),
    ],
)
def test_it_names_what_makes_it_no_order(proposal, value: str) -> None:
    assert check_form(proposal)[1:] == (False, "", value)


@pytest.mark.parametrize(
    "changes",
    [
        {"bar_s": 1},
        {"type": "STOP_LOSS_LIMIT", "stop_price": D(51000), "time_in_force": "GTC"},
        {"type": "STOP_LOSS_LIMIT", "stop_price": D(51000), "time_in_force": "IOC"},
        {"type": "OCO", "stop_price": D(51000), "time_in_force": None},
    ],
    ids=str,
)
def test_it_takes_the_form_of_an_order_with_a_stop(changes) -> None:
    assert check_form(make_entry(**changes))[1:] == (True, "", "")


@pytest.mark.parametrize("number", ["99999999999999999999", "1e-18", "1." + "0" * 30])
def test_it_takes_every_number_that_the_database_can_hold(number: str) -> None:
    assert check_numbers(make_entry(quantity=D(number))).passed


def test_it_writes_numbers_out_and_keeps_them_as_json() -> None:
    answer = result(judge().checks[0].code, passed=False, limit=D("1E-8"), value=D("1E+3"))

    assert answer.to_json() == {
        "code": "SCHEMA_NOT_FINITE",
        "passed": False,
        "limit": "0.00000001",
        "value": "1000",
    }
    assert result(answer.code, passed=True, limit=7).limit == "7"


def test_its_context_finds_the_exposure_of_its_own_symbol() -> None:
    mine, other = make_holding(), make_exposure(instrument_id=2, symbol="ETHUSDT")

    def exposure_of(**changes):
        return Context(
            proposal=make_entry(**changes),
            portfolio=make_portfolio(mine, other),
            limits=make_limits(),
            state=make_state(),
            rules=make_rules(),
            now=NOW,
        ).exposure

    assert exposure_of() is mine
    assert exposure_of(instrument_id=2) is other
    none = exposure_of(instrument_id=3, symbol="SOLUSDT")
    assert (none.instrument_id, none.symbol, none.has_exposure) == (3, "SOLUSDT", False)
