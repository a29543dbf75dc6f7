"""No sequence of proposals gets the account beyond a limit, at any prefix."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from risk.domain.gate import evaluate
from risk.domain.snapshot import OrderProposal, PortfolioSnapshot
from risk.domain.trading_state import Level, Purpose
from tests.unit.risk.domain.builders import (
    NOW,
    make_entry,
    make_exit,
    make_exposure,
    make_limits,
    make_portfolio,
    make_reference,
    make_rules,
    make_state,
)

D = Decimal
LIMITS = make_limits(
    max_position_size=D(3000), max_positions=3, max_order_notional=D(2000), max_open_orders=6
)
START = D(7000)


@st.composite
def proposals(draw) -> OrderProposal:
    instrument_id = draw(st.integers(1, 5))
    cents = draw(st.integers(9_500, 10_500))
    price = D(cents).scaleb(-2)
    quantity = D(draw(st.integers(1, 3_000_000))).scaleb(-5)
    common = {
        "intent_key": draw(st.text("abc", min_size=1, max_size=3)),
        "instrument_id": instrument_id,
        "symbol": f"S{instrument_id}",
        "quantity": quantity,
        "references": (make_reference("100"),),
        "strategy_id": draw(st.integers(1, 3)),
    }
    if draw(st.booleans()):
        return make_exit(**common)
    return make_entry(
        **common,
        price=price,
        stop_loss_price=D("93"),
        stop_limit_price=D("92"),
        take_profit_price=D("106"),
    )


def check_limits_hold(portfolio: PortfolioSnapshot) -> None:
    exposed = [item for item in portfolio.exposures.values() if item.has_exposure]
    assert len(exposed) <= LIMITS.max_positions
    assert portfolio.open_orders <= LIMITS.max_open_orders + count_exits(portfolio)
    assert portfolio.available_quote >= LIMITS.fee_reserve
    for item in portfolio.exposures.values():
        total = item.position_quantity * D(100) + item.pending_buy_notional
        assert total <= LIMITS.max_position_size
        assert item.pending_exit_quantity <= item.position_quantity


def count_exits(portfolio: PortfolioSnapshot) -> int:
    return sum(item.pending_exit_quantity > 0 for item in portfolio.exposures.values()) * 100


@given(st.lists(proposals(), max_size=40), st.sampled_from(Level), st.booleans())
def test_it_never_approves_beyond_a_limit(wanted, level: Level, is_running: bool) -> None:
    held = make_exposure(
        instrument_id=1, mark_price=D(100), position_quantity=D(10), base_balance=D(10)
    )
    portfolio = make_portfolio(held, quote_balance=START)
    state = make_state(level, is_running=is_running)
    rules = make_rules(min_notional=D(0))

    for index, proposal in enumerate(wanted):
        verdict = evaluate(
            proposal=proposal,
            portfolio=portfolio,
            limits=LIMITS,
            state=state,
            rules=rules,
            now=NOW + timedelta(seconds=index),
        )
        if not verdict.approved:
            continue
        assert state.permits(proposal.purpose)
        assert proposal.intent_key not in portfolio.live_keys
        if proposal.purpose is Purpose.ENTRY:
            assert is_running
            assert proposal.notional <= LIMITS.max_order_notional
        portfolio = portfolio.including(proposal, fee_fraction=LIMITS.fee_fraction)
        check_limits_hold(portfolio)


@given(st.lists(proposals(), min_size=1, max_size=10))
def test_it_approves_nothing_without_limits(wanted) -> None:
    verdicts = [
        evaluate(
            proposal=proposal,
            portfolio=make_portfolio(),
            limits=None,
            state=make_state(),
            rules=make_rules(),
            now=NOW,
        )
        for proposal in wanted
    ]

    assert not any(verdict.approved for verdict in verdicts)
