"""The gate with a real database: verdict rows, folding, fail closed, queries."""

from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from risk.models import RiskLimits, RiskVerdict
from risk.selectors import read_limits
from risk.services.gate import assess
from risk.services.trading_state import start_trading
from tests.unit.risk.domain.builders import (
    NOW,
    codes,
    make_entry,
    make_exposure,
    make_portfolio,
    make_rules,
)

D = Decimal


@pytest.fixture(autouse=True)
def _trading(db: None) -> None:
    start_trading(reason="test", actor="anna", now=NOW)


def run(*proposals, portfolio=None, rules=None):
    with transaction.atomic():
        return assess(
            account_id=7,
            proposals=proposals,
            portfolio=portfolio or make_portfolio(),
            rules={1: make_rules()} if rules is None else rules,
            limits=read_limits(),
            now=NOW,
        )


def test_it_stores_every_check_of_an_approved_order() -> None:
    [verdict] = run(make_entry())

    row = RiskVerdict.objects.get()
    assert verdict.approved
    assert (row.intent_key, row.approved, row.code) == ("1:ENTRY:1", True, "")
    assert row.quantity == D("0.02")
    assert row.limits_version == 1
    assert len(row.checks) == len(verdict.checks) > 25
    assert all(check["passed"] for check in row.checks)


def test_it_stores_why_an_order_was_denied() -> None:
    run(make_entry(quantity=D("0.3")))

    row = RiskVerdict.objects.get()
    assert (row.approved, row.code) == (False, "POSITION_NOTIONAL")
    assert (row.limit, row.value) == ("10000", "15000.0")


def test_it_counts_an_approved_order_for_the_next() -> None:
    first = make_entry(quantity=D("0.12"))
    second = make_entry(intent_key="2:ENTRY:1", quantity=D("0.10"))

    verdicts = run(first, second)

    assert [verdict.approved for verdict in verdicts] == [True, False]
    assert codes(verdicts[1]) == ["POSITION_NOTIONAL"]


def test_it_does_not_count_a_denied_order_for_the_next() -> None:
    verdicts = run(make_entry(quantity=D(1)), make_entry(intent_key="2:ENTRY:1"))

    assert [verdict.approved for verdict in verdicts] == [False, True]


def test_it_denies_everything_without_a_limits_row() -> None:
    RiskLimits.objects.all().delete()

    [verdict] = run(make_entry())

    assert codes(verdict) == ["LIMITS_MISSING"]
    assert RiskVerdict.objects.get().limits_version is None


def test_it_denies_everything_under_limits_that_were_bent() -> None:
    RiskLimits.objects.update(stop_loss_fraction=D(2))

    [verdict] = run(make_entry())

    assert codes(verdict) == ["LIMITS_MISSING"]


def test_it_denies_a_symbol_without_rules() -> None:
    [verdict] = run(make_entry(), rules={})

    assert codes(verdict) == ["RULES_MISSING"]


def test_a_repeated_intent_leaves_its_first_verdict() -> None:
    run(make_entry())

    run(make_entry(quantity=D(1)))

    assert RiskVerdict.objects.get().approved


@pytest.mark.parametrize("quantity", [D("NaN"), D("1e400"), D("1e-30"), D("Infinity"), "0x10"])
def test_it_stores_the_verdict_on_a_number_that_is_none(quantity: object) -> None:
    [verdict] = run(make_entry(quantity=quantity))

    row = RiskVerdict.objects.get()
    assert codes(verdict) == ["SCHEMA_NOT_FINITE"]
    assert row.quantity is None
    assert row.code == "SCHEMA_NOT_FINITE"


def test_it_stores_hostile_text() -> None:
    run(make_entry(symbol="BTC\x00USDT" * 20, side="BUY\x00"))

    assert RiskVerdict.objects.get().code == "SCHEMA_INVALID"


def test_it_takes_nothing_for_another_account() -> None:
    with pytest.raises(ValueError, match="account 7"):
        run(make_entry(account_id=8))


def test_its_queries_do_not_depend_on_the_number_of_orders() -> None:
    counts = []
    for number in (1, 40):
        proposals = [
            make_entry(intent_key=f"{number}:{index}", instrument_id=index, quantity=D("0.0002"))
            for index in range(number)
        ]
        held = [make_exposure(instrument_id=index) for index in range(number)]
        rules = {index: make_rules() for index in range(number)}
        with (
            transaction.atomic(),
            CaptureQueriesContext(
                connection,
            ) as queries,
        ):
            assess(
                account_id=7,
                proposals=proposals,
                portfolio=make_portfolio(*held),
                rules=rules,
                limits=read_limits(),
                now=NOW,
            )
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 5
