"""What the kill switch, the limits and the gate leave on record, word for word, and refuse.

An epoch that did not rise by one, a moment or a name that was lost: each would let an order pass
that a kill should have stopped, or leave nobody to ask.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from core.errors import Conflict, Denied, InvalidInput, NotFound
from core.models import AuditRecord
from risk.domain.denials import DenialCode
from risk.domain.gate import Verdict
from risk.domain.limits import RiskLimits as Limits
from risk.domain.results import CheckResult
from risk.domain.trading_state import GLOBAL, Level, StateView
from risk.models import RiskLimits, RiskVerdict, TradingState, TradingStateChange
from risk.selectors import read_limits
from risk.services.gate import assess
from risk.services.limits import export_limits, save_limits
from risk.services.trading_state import (
    raise_level,
    read_state,
    read_states,
    rearm,
    start_trading,
    stop_trading,
)
from tests.unit.risk.domain.builders import make_entry, make_portfolio, make_rules

BEFORE = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = BEFORE + timedelta(hours=1)
D = Decimal
BTC = "symbol:BTCUSDT"

pytestmark = pytest.mark.django_db


def row_of(scope: str) -> tuple:
    row = TradingState.objects.get(scope=scope)
    return row.level, row.epoch, row.is_running, row.reason, row.actor, row.changed_at


def change_of(scope: str) -> tuple:
    row = TradingStateChange.objects.filter(scope=scope).latest("epoch")
    return (
        row.from_level,
        row.to_level,
        row.epoch,
        row.is_running,
        row.reason,
        row.actor,
        row.timestamp,
    )


def audited() -> AuditRecord:
    return AuditRecord.objects.latest("pk")


@pytest.mark.parametrize("scope", [GLOBAL, BTC])
def test_raising_and_re_arming_each_count_one_epoch_and_say_who_when_and_why(scope: str) -> None:
    start_trading(reason="go", actor="anna", now=BEFORE)
    is_running = scope == GLOBAL  # only the global switch has a say in it
    first = read_states().views[GLOBAL].epoch if scope == GLOBAL else 0

    raised = raise_level(level=Level.HALT, reason="odd", actor="auto:x", now=BEFORE, scope=scope)

    assert raised == StateView(level=Level.HALT, epoch=first + 1, is_running=is_running)
    assert row_of(scope) == ("HALT", first + 1, is_running, "odd", "auto:x", BEFORE)
    assert change_of(scope) == ("ACTIVE", "HALT", first + 1, is_running, "odd", "auto:x", BEFORE)

    armed = rearm(reason="fine", actor="anna", now=NOW, scope=scope, expected_epoch=first + 1)

    assert armed == StateView(level=Level.ACTIVE, epoch=first + 2, is_running=is_running)
    assert row_of(scope) == ("ACTIVE", first + 2, is_running, "fine", "anna", NOW)
    assert change_of(scope) == ("HALT", "ACTIVE", first + 2, is_running, "fine", "anna", NOW)
    record = audited()
    assert (record.action, record.actor, record.reason) == ("risk.rearm", "anna", "fine")
    assert record.subject == ("trading_state" if scope == GLOBAL else f"trading_state:{BTC}")
    assert record.before == {"level": "HALT", "is_running": is_running}
    assert record.after == {"level": "ACTIVE", "epoch": first + 2, "is_running": is_running}
    assert record.created_at == NOW


def test_raising_is_audited_word_for_word() -> None:
    epoch = read_state().epoch

    raise_level(level=Level.CANCEL, reason="odd", actor="anna", now=NOW)

    record = audited()
    assert (record.action, record.subject) == ("risk.raise_level", "trading_state")
    assert record.before == {"level": "ACTIVE", "is_running": False}
    assert record.after == {"level": "CANCEL", "epoch": epoch + 1, "is_running": False}


def test_starting_and_stopping_say_who_when_and_why() -> None:
    epoch = read_state().epoch

    start_trading(reason="go", actor="anna", now=BEFORE)

    assert row_of(GLOBAL) == ("ACTIVE", epoch + 1, True, "go", "anna", BEFORE)
    assert change_of(GLOBAL) == ("ACTIVE", "ACTIVE", epoch + 1, True, "go", "anna", BEFORE)
    assert audited().action == "risk.start_trading"
    assert audited().before == {"level": "ACTIVE", "is_running": False}

    stop_trading(reason="enough", actor="bob", now=NOW)

    assert row_of(GLOBAL) == ("ACTIVE", epoch + 2, False, "enough", "bob", NOW)
    assert change_of(GLOBAL) == ("ACTIVE", "ACTIVE", epoch + 2, False, "enough", "bob", NOW)
    assert audited().action == "risk.stop_trading"
    assert audited().before == {"level": "ACTIVE", "is_running": True}
    assert TradingStateChange.objects.count() == 2
    stop_trading(reason="again", actor="bob", now=NOW)
    assert TradingStateChange.objects.count() == 2


def test_starting_leaves_the_switches_of_scopes_alone() -> None:
    raise_level(level=Level.HALT, reason="odd", actor="anna", now=BEFORE, scope=BTC)

    start_trading(reason="go", actor="anna", now=NOW)

    assert row_of(BTC) == ("HALT", 1, False, "odd", "anna", BEFORE)


@pytest.mark.parametrize("scope", [GLOBAL, BTC])
def test_a_row_that_was_lost_goes_on_counting_above_its_history(scope: str) -> None:
    for _ in range(2):
        raise_level(level=Level.HALT, reason="odd", actor="anna", now=BEFORE, scope=scope)
        rearm(reason="fine", actor="anna", now=BEFORE, scope=scope)
    last = change_of(scope)[2]
    raise_level(level=Level.HALT, reason="other", actor="anna", now=BEFORE, scope="model:m")
    TradingState.objects.filter(scope=GLOBAL).delete()

    raised = raise_level(level=Level.FLATTEN, reason="lost", actor="anna", now=NOW)

    if scope == GLOBAL:
        assert raised == StateView(level=Level.FLATTEN, epoch=last + 1, is_running=False)
        assert row_of(GLOBAL) == ("FLATTEN", last + 1, False, "lost", "anna", NOW)
        assert change_of(GLOBAL) == ("ACTIVE", "FLATTEN", last + 1, False, "lost", "anna", NOW)
    else:
        assert raised.epoch == 1  # the history of another switch does not count


@pytest.mark.parametrize("change", [rearm, start_trading, stop_trading])
def test_the_lost_row_comes_back_shut_at_the_time_of_the_change(change) -> None:
    TradingState.objects.filter(scope=GLOBAL).delete()

    found = change(reason="go", actor="anna", now=NOW)

    expected = Level.ACTIVE if change is rearm else Level.HALT
    assert (found.level, found.epoch) == (expected, 1 if change is stop_trading else 2)
    if change is stop_trading:
        assert row_of(GLOBAL) == ("HALT", 1, False, "the row was missing", "auto:setup", NOW)


def test_re_arming_a_scope_does_not_bring_the_lost_global_row_back() -> None:
    raise_level(level=Level.HALT, reason="odd", actor="anna", now=BEFORE, scope=BTC)
    TradingState.objects.filter(scope=GLOBAL).delete()

    rearm(reason="fine", actor="anna", now=NOW, scope=BTC)

    assert read_state().level is Level.HALT
    assert not TradingState.objects.filter(scope=GLOBAL).exists()


@pytest.mark.parametrize("scope", [GLOBAL, BTC])
def test_a_halt_that_changes_nothing_leaves_no_trace(scope: str) -> None:
    first = raise_level(level=Level.CANCEL, reason="odd", actor="anna", now=BEFORE, scope=scope)
    told = AuditRecord.objects.count()

    again = raise_level(level=Level.HALT, reason="late", actor="bob", now=NOW, scope=scope)

    assert again == first
    assert row_of(scope)[3:] == ("odd", "anna", BEFORE)
    assert AuditRecord.objects.count() == told
    assert TradingStateChange.objects.count() == 1


def test_it_keeps_as_much_of_a_reason_and_a_name_as_the_history_holds() -> None:
    raise_level(level=Level.HALT, reason="r" * 501, actor="a" * 151, now=NOW)

    change = TradingStateChange.objects.get()
    assert (change.reason, change.actor) == ("r" * 500, "a" * 150)


def refused(kind: type, call, **arguments):
    with pytest.raises(kind) as caught:
        call(**arguments)
    return caught.value.message, caught.value.context


def test_it_names_what_it_refuses_of_the_kill_switch() -> None:
    raised = raise_level(level=Level.HALT, reason="odd", actor="anna", now=BEFORE)
    by = {"actor": "anna", "now": NOW}

    assert refused(InvalidInput, raise_level, level=Level.HALT, reason=" ", **by) == (
        "a reason is needed",
        {"field": "reason", "value": " "},
    )
    assert refused(InvalidInput, raise_level, level=Level.ACTIVE, reason="x", **by) == (
        "ACTIVE is reached by re-arming",
        {"field": "level", "value": "ACTIVE"},
    )
    assert refused(Denied, rearm, reason="x", actor="auto:guard", now=NOW) == (
        "only a person may re-arm",
        {"actor": "auto:guard"},
    )
    assert refused(Conflict, rearm, reason="x", expected_epoch=raised.epoch - 1, **by) == (
        "the kill switch has changed since you looked; look again",
        {"level": "HALT", "epoch": raised.epoch},
    )
    assert refused(NotFound, rearm, reason="x", scope="model:m", **by) == (
        "the kill switch of model:m was never raised",
        {"field": "scope", "value": "model:m"},
    )
    assert refused(InvalidInput, start_trading, reason="", **by)[1]["field"] == "reason"


def test_limits_are_audited_word_for_word() -> None:
    save_limits(changes={"max_positions": 5}, actor="anna", reason="r" * 101, now=NOW)

    record = audited()
    assert (record.action, record.subject) == ("risk.save_limits", "risk_limits")
    assert (record.actor, record.reason, record.created_at) == ("anna", "r" * 101, NOW)
    assert (record.before, record.after) == ({"max_positions": 10}, {"max_positions": 5})
    assert RiskLimits.objects.get().history.first().history_change_reason == "r" * 100


def test_lost_limits_start_at_version_one() -> None:
    RiskLimits.objects.all().delete()

    save_limits(changes={}, actor="anna", reason="lost", now=NOW)

    assert RiskLimits.objects.get().version == 1


def test_it_names_what_it_refuses_of_the_limits() -> None:
    by = {"actor": "anna", "now": NOW}
    message, context = refused(InvalidInput, save_limits, changes={"size": 1}, reason="x", **by)
    assert message == "unknown limit size"
    assert context["field"] == "size"
    assert context["fix"].startswith("one of max_position_size, max_positions, ")

    assert refused(InvalidInput, save_limits, changes={}, reason=" ", **by) == (
        "a reason is needed",
        {"field": "reason", "value": " "},
    )
    assert refused(Conflict, save_limits, changes={}, reason="x", expected_version=3, **by) == (
        "the limits are at version 1 now, not 3; reload them",
        {"version": 1},
    )


def test_it_exports_the_limits_by_name() -> None:
    exported = export_limits(Limits())

    assert exported["max_positions"] == 10
    assert Limits(**exported) == Limits()


def judge(*proposals, portfolio=None):
    with transaction.atomic():
        return assess(
            account_id=7,
            proposals=proposals,
            portfolio=portfolio or make_portfolio(),
            rules={1: make_rules()},
            limits=read_limits(),
            now=NOW,
        )


def test_a_verdict_is_stored_as_it_was_given() -> None:
    start_trading(reason="go", actor="anna", now=BEFORE)
    raise_level(level=Level.HALT, reason="odd", actor="anna", now=BEFORE, scope=BTC)
    symbol, side = "B" * 33, "S" * 17

    passed, stopped, hostile = judge(
        make_entry(data_at=NOW),
        make_entry(intent_key="2:ENTRY:1", data_at=NOW, scopes=(BTC,)),
        make_entry(intent_key="3:ENTRY:1", symbol=symbol, side=side),
    )

    epoch = read_state().epoch
    row = RiskVerdict.objects.get(intent_key="1:ENTRY:1")
    assert (row.account_id, row.instrument_id, row.symbol) == (7, 1, "BTCUSDT")
    assert (row.purpose, row.side, row.quantity) == ("ENTRY", "BUY", D("0.02"))
    assert (row.approved, row.code, row.limit, row.value) == (True, "", "", "")
    assert (row.epoch, row.limits_version, row.created_at) == (epoch, 1, NOW)
    assert row.checks == [check.to_json() for check in passed.checks]
    row = RiskVerdict.objects.get(intent_key="2:ENTRY:1")
    assert (row.approved, row.code, row.epoch) == (False, "STATE_LEVEL", epoch + 1)
    assert (row.limit, row.value) == ("HALT", "ENTRY")
    assert not stopped.approved
    row = RiskVerdict.objects.get(intent_key="3:ENTRY:1")
    assert (row.symbol, row.side) == ("B" * 32, "S" * 16)
    assert not hostile.approved


def test_a_verdict_keeps_as_much_of_an_answer_as_its_columns_hold(monkeypatch) -> None:
    answer = CheckResult(DenialCode.SCHEMA_INVALID, passed=False, limit="l" * 99, value="v" * 199)
    monkeypatch.setattr(
        "risk.services.gate.evaluate",
        lambda *, proposal, **_: Verdict(intent_key=proposal.intent_key, epoch=1, checks=(answer,)),
    )

    judge(make_entry())

    row = RiskVerdict.objects.get()
    assert (row.limit, row.value) == ("l" * 80, "v" * 160)


def test_a_verdict_drops_the_byte_that_no_database_takes() -> None:
    judge(make_entry(symbol="BTC\x00USDT"))

    assert RiskVerdict.objects.get().symbol == "BTCUSDT"


@pytest.mark.parametrize(
    ("quantity", "stored"),
    [
        ("1e-18", D("1e-18")),
        ("1e-19", None),
        ("99999999999999999999", D("99999999999999999999")),
        ("100000000000000000000", None),
    ],
)
def test_a_verdict_keeps_a_quantity_that_the_column_can_hold(quantity, stored) -> None:
    judge(make_entry(quantity=D(quantity)))

    assert RiskVerdict.objects.get().quantity == stored


def test_a_verdict_under_bent_limits_names_their_version() -> None:
    RiskLimits.objects.update(stop_loss_fraction=D(2), version=4)

    judge(make_entry())

    row = RiskVerdict.objects.get()
    assert (row.code, row.limits_version) == ("LIMITS_MISSING", 4)


def test_it_asks_nothing_for_nothing_and_mixes_no_accounts() -> None:
    assert judge() == []
    assert not RiskVerdict.objects.exists()
    with pytest.raises(ValueError, match=r"^everything must belong to account 8$"):
        assess(
            account_id=8,
            proposals=[make_entry()],
            portfolio=make_portfolio(),
            rules={},
            limits=read_limits(),
            now=NOW,
        )


@pytest.mark.parametrize(("quote", "second"), [("2011.99", False), ("2012", True)])
def test_an_approved_order_of_a_batch_holds_its_fee_back_too(quote: str, second: bool) -> None:
    # two orders of 1000, each with a fee of 1, and a reserve of 10
    start_trading(reason="go", actor="anna", now=BEFORE)

    verdicts = judge(
        make_entry(data_at=NOW, intent_key="a"),
        make_entry(data_at=NOW, intent_key="b", strategy_id=4),
        portfolio=make_portfolio(quote_balance=D(quote)),
    )

    assert [verdict.approved for verdict in verdicts] == [True, second]
