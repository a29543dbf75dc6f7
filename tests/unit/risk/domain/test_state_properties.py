"""Kill switches of any scopes and levels: raising one never permits more."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from risk.domain.trading_state import GLOBAL, Level, Purpose, StateTable, StateView, parse_scope

NAMES = ("symbol:BTCUSDT", "strategy:trend", "model:m1", "account:demo")
views = st.builds(
    StateView,
    level=st.sampled_from(Level),
    epoch=st.integers(0, 1000),
    is_running=st.booleans(),
)
tables = st.builds(
    lambda everything, some: StateTable(views={GLOBAL: everything, **some}),
    views,
    st.dictionaries(st.sampled_from(NAMES), views),
)
scopes = st.lists(st.sampled_from(NAMES), unique=True)
purposes = st.sampled_from(Purpose)
levels = st.sampled_from(Level)


@given(table=tables, scopes=scopes)
def test_the_highest_level_of_all_applies(table, scopes):
    applying = [table.views[name].level for name in (GLOBAL, *scopes) if name in table.views]

    assert table.of(scopes).level is max(applying, key=lambda level: level.rank)


@given(table=tables, scopes=scopes, more=st.sampled_from(NAMES))
def test_one_scope_more_never_opens_a_door(table, scopes, more):
    assert table.of([*scopes, more]).level >= table.of(scopes).level


@given(table=tables, scopes=scopes, name=st.sampled_from((GLOBAL, *NAMES)))
def test_a_change_of_any_scope_that_applies_changes_the_epoch(table, scopes, name):
    if name not in table.views:
        return
    changed = replace(table.views[name], epoch=table.views[name].epoch + 1)
    after = StateTable(views={**table.views, name: changed})

    has_changed = after.of(scopes).epoch != table.of(scopes).epoch

    assert has_changed == (name == GLOBAL or name in scopes)


@given(scopes=scopes, some=st.dictionaries(st.sampled_from(NAMES), views), purpose=purposes)
def test_without_the_global_row_nothing_is_entered(scopes, some, purpose):
    state = StateTable(views=some).of(scopes)

    assert state.level >= Level.HALT
    assert not state.permits(Purpose.ENTRY)
    assert not state.is_running


@given(view=views, purpose=purposes, lower=levels, higher=levels, is_manual=st.booleans())
def test_a_higher_level_permits_no_new_risk_that_a_lower_one_forbids(
    view, purpose, lower, higher, is_manual
):
    lower, higher = sorted((lower, higher), key=lambda level: level.rank)
    if purpose is not Purpose.ENTRY:
        return
    at_lower = replace(view, level=lower).permits(purpose, is_manual=is_manual)
    at_higher = replace(view, level=higher).permits(purpose, is_manual=is_manual)

    assert at_lower or not at_higher


@given(table=tables, least=levels)
def test_what_is_raised_is_all_that_is_raised(table, least):
    raised = table.raised(least)

    assert {name for name, view in table.views.items() if view.level >= least} == set(raised)
    assert GLOBAL not in raised or next(iter(raised)) == GLOBAL


@given(name=st.sampled_from((GLOBAL, *NAMES)), space=st.sampled_from(["", " ", "\n"]))
def test_a_scope_is_read_back_as_it_was_written(name, space):
    assert parse_scope(f"{space}{name}{space}") == name
