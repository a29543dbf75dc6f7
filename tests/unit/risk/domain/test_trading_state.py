import pytest

from core.errors import InvalidInput
from risk.domain.trading_state import (
    CLOSED,
    GLOBAL,
    Level,
    Purpose,
    StateTable,
    StateView,
    parse_scope,
)

ORDER = ["ACTIVE", "REDUCE_ONLY", "HALT", "CANCEL", "FLATTEN"]


@pytest.mark.parametrize("left", ORDER)
@pytest.mark.parametrize("right", ORDER)
def test_it_compares_levels_by_severity(left: str, right: str) -> None:
    here, there = Level(left), Level(right)
    expected = ORDER.index(left) - ORDER.index(right)

    assert (here < there) is (expected < 0)
    assert (here <= there) is (expected <= 0)
    assert (here > there) is (expected > 0)
    assert (here >= there) is (expected >= 0)


def test_it_sorts_levels_by_severity() -> None:
    assert [level.value for level in sorted(Level)] == ORDER


# Written a second time, so that an edit of the table must be meant twice.
PASSING = {
    Level.ACTIVE: {Purpose.ENTRY, Purpose.EXIT, Purpose.PROTECT},
    Level.REDUCE_ONLY: {Purpose.EXIT, Purpose.PROTECT},
    Level.HALT: {Purpose.PROTECT},
    Level.CANCEL: {Purpose.PROTECT},
    Level.FLATTEN: {Purpose.EXIT},
}


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("purpose", Purpose)
def test_it_says_for_every_level_what_passes(level: Level, purpose: Purpose) -> None:
    state = StateView(level=level, epoch=1, is_running=True)

    assert state.permits(purpose) is (purpose in PASSING[level])
    by_hand = purpose is Purpose.EXIT or purpose in PASSING[level]
    assert state.permits(purpose, is_manual=True) is by_hand


def test_it_ranks_the_levels_from_zero() -> None:
    assert [Level(name).rank for name in ORDER] == [0, 1, 2, 3, 4]


def test_it_is_shut_when_the_row_is_missing() -> None:
    assert (CLOSED.level, CLOSED.epoch) == (Level.HALT, -1)
    assert not CLOSED.permits(Purpose.ENTRY)
    assert not CLOSED.permits(Purpose.EXIT)
    assert not CLOSED.is_running


def view(level: Level, epoch: int) -> StateView:
    return StateView(level=level, epoch=epoch, is_running=True)


def test_the_highest_level_of_all_scopes_applies() -> None:
    table = StateTable(
        views={
            GLOBAL: view(Level.REDUCE_ONLY, 7),
            "symbol:BTCUSDT": view(Level.CANCEL, 3),
            "strategy:slow": view(Level.HALT, 2),
        }
    )

    assert table.of().level is Level.REDUCE_ONLY
    assert table.of(["symbol:ETHUSDT"]) == table.of()
    assert table.of(["symbol:BTCUSDT", "strategy:slow"]).level is Level.CANCEL
    assert table.of(["symbol:BTCUSDT", "strategy:slow"]).epoch == 12
    assert list(table.raised(Level.REDUCE_ONLY)) == [GLOBAL, "strategy:slow", "symbol:BTCUSDT"]
    assert list(table.raised(Level.CANCEL)) == ["symbol:BTCUSDT"]


def test_everything_is_closed_without_the_global_row() -> None:
    table = StateTable(views={"symbol:BTCUSDT": view(Level.ACTIVE, 1)})

    assert table.of(["symbol:BTCUSDT"]) is CLOSED


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("GLOBAL", GLOBAL),
        (" global ", GLOBAL),
        ("symbol:btcusdt", "symbol:BTCUSDT"),
        ("Strategy:default", "strategy:default"),
        ("STRATEGY: Slow:one ", "strategy:Slow:one"),
        ("account:Main", "account:Main"),
        ("model:m1", "model:m1"),
    ],
)
def test_it_reads_a_scope(text: str, scope: str) -> None:
    assert parse_scope(text) == scope


@pytest.mark.parametrize("text", ["", "symbol", "symbol:", "symbol: ", "pair:BTCUSDT", "GLOBAL:x"])
def test_it_refuses_an_odd_scope_and_says_what_fits(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"symbol:NAME, was") as caught:
        parse_scope(text)

    assert caught.value.message == (
        "scope must be GLOBAL or account:NAME, strategy:NAME, model:NAME, symbol:NAME,"
        f" was {text!r}"
    )
    assert caught.value.context == {"field": "scope", "value": text}


def test_a_switch_of_one_scope_is_counted_once_and_takes_running_from_the_global_one() -> None:
    table = StateTable(
        views={
            GLOBAL: StateView(level=Level.ACTIVE, epoch=7, is_running=False),
            "symbol:BTCUSDT": view(Level.HALT, 3),
        }
    )

    found = table.of(["symbol:BTCUSDT", "symbol:BTCUSDT", GLOBAL])

    assert found == StateView(level=Level.HALT, epoch=10, is_running=False)
    assert list(table.raised(Level.ACTIVE)) == [GLOBAL, "symbol:BTCUSDT"]
    assert table.raised(Level.HALT) == {"symbol:BTCUSDT": view(Level.HALT, 3)}
