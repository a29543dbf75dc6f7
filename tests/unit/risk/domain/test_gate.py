from decimal import Decimal

import pytest

from risk.domain.denials import DenialCode
from risk.domain.trading_state import Level, Purpose
from tests.unit.risk.domain.builders import (
    codes,
    judge,
    make_entry,
    make_exit,
    make_holding,
    make_limits,
    make_portfolio,
    make_protection,
    make_state,
)

EVERY_PURPOSE = {
    Purpose.ENTRY: make_entry,
    Purpose.EXIT: make_exit,
    Purpose.PROTECT: make_protection,
}
PASSES = {
    (Level.ACTIVE, Purpose.ENTRY),
    (Level.ACTIVE, Purpose.EXIT),
    (Level.ACTIVE, Purpose.PROTECT),
    (Level.REDUCE_ONLY, Purpose.EXIT),
    (Level.REDUCE_ONLY, Purpose.PROTECT),
    (Level.HALT, Purpose.PROTECT),
    (Level.CANCEL, Purpose.PROTECT),
    (Level.FLATTEN, Purpose.EXIT),
}


def test_it_approves_a_plain_entry_with_every_check_answered() -> None:
    verdict = judge()

    assert verdict.approved
    assert {check.code for check in verdict.checks} == set(DenialCode)


@pytest.mark.parametrize("make", [make_exit, make_protection])
def test_it_approves_what_reduces_a_position(make) -> None:
    verdict = judge(make(), make_portfolio(make_holding()))

    assert verdict.approved, codes(verdict)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("purpose", Purpose)
def test_it_obeys_the_kill_level(level: Level, purpose: Purpose) -> None:
    proposal = EVERY_PURPOSE[purpose]()
    portfolio = make_portfolio(make_holding())

    verdict = judge(proposal, portfolio, state=make_state(level))

    assert verdict.approved is ((level, purpose) in PASSES), codes(verdict)


@pytest.mark.parametrize("level", Level)
def test_it_lets_a_person_reduce_by_hand_at_every_level(level: Level) -> None:
    verdict = judge(
        make_exit(is_manual=True), make_portfolio(make_holding()), state=make_state(level)
    )

    assert verdict.approved


@pytest.mark.parametrize("level", list(Level)[1:])
def test_it_denies_a_manual_entry_above_active(level: Level) -> None:
    verdict = judge(make_entry(is_manual=True), state=make_state(level))

    assert codes(verdict) == ["STATE_LEVEL"]


def test_it_denies_only_the_entries_of_strategies_while_stopped() -> None:
    stopped = make_state(is_running=False)
    portfolio = make_portfolio(make_holding())

    assert codes(judge(state=stopped)) == ["STATE_STOPPED"]
    assert judge(make_entry(is_manual=True), state=stopped).approved
    assert judge(make_exit(), portfolio, state=stopped).approved


def test_it_fails_closed_without_limits() -> None:
    assert codes(judge(limits=None)) == ["LIMITS_MISSING"]


def test_it_fails_closed_without_rules() -> None:
    assert codes(judge(rules=None)) == ["RULES_MISSING"]


@pytest.mark.parametrize("limits", [None, make_limits()], ids=["closed", "approved"])
def test_it_says_which_intent_it_judged_and_under_which_state(limits) -> None:
    verdict = judge(limits=limits)

    assert (verdict.intent_key, verdict.epoch) == ("1:ENTRY:1", 1)


def test_it_reports_every_failed_check() -> None:
    proposal = make_entry(quantity=Decimal("0.3000001"), price=Decimal("50000.001"))

    verdict = judge(proposal, make_portfolio(quote_balance=Decimal(100)))

    assert codes(verdict) == [
        "FILTER_PRICE",
        "FILTER_LOT_SIZE",
        "POSITION_NOTIONAL",
        "ORDER_NOTIONAL",
        "BALANCE_QUOTE",
    ]


def test_it_keeps_limit_and_value_of_a_denial() -> None:
    verdict = judge(make_entry(quantity=Decimal("0.20001")))

    [denial, *_] = verdict.denials
    assert (denial.code, denial.limit, denial.value) == (
        "POSITION_NOTIONAL",
        "10000",
        "10000.50000",
    )


@pytest.mark.parametrize("make", [make_exit, make_protection])
def test_it_never_stops_a_reduction_because_of_losses_silence_or_limits(make) -> None:
    portfolio = make_portfolio(
        make_holding(has_unresolved=True), equity=None, quote_balance=Decimal(0)
    )

    verdict = judge(make(data_at=make_entry().data_at.replace(year=2020)), portfolio)

    assert verdict.approved, codes(verdict)


@pytest.mark.parametrize("change", [{"side": "BUY"}, {"is_reduce_only": False}])
def test_it_refuses_an_entry_that_calls_itself_an_exit(change) -> None:
    verdict = judge(make_exit(**change), make_portfolio(make_holding()))

    assert codes(verdict) == ["SCHEMA_INVALID"]
