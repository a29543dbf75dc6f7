import pytest

from core.errors import InvalidInput
from risk.domain.trading_state import (
    CLOSED,
    GLOBAL,
    PERMITTED,
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


def test_it_says_for_every_level_what_passes() -> None:
    assert set(PERMITTED) == set(Level)


@pytest.mark.parametrize("level", list(Level)[1:])
def test_it_lets_no_entry_through_above_active(level: Level) -> None:
    assert Purpose.ENTRY not in PERMITTED[level]


def test_it_is_shut_when_the_row_is_missing() -> None:
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
    ],
)
def test_it_reads_a_scope(text: str, scope: str) -> None:
    assert parse_scope(text) == scope


@pytest.mark.parametrize("text", ["", "symbol", "symbol:", "symbol: ", "pair:BTCUSDT", "GLOBAL:x"])
def test_it_refuses_an_odd_scope_and_says_what_fits(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"symbol:NAME, was"):
        parse_scope(text)
