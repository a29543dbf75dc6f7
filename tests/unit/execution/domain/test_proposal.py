"""What the gate is asked is what was wanted, with the protection that would follow."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from execution.domain.order import OrderType, Side, TimeInForce
from execution.domain.proposal import build_proposal, entry_quantity
from execution.domain.protection import Bracket
from risk.domain.snapshot import OrderProposal, count_algo_orders, count_orders
from risk.domain.trading_state import Purpose
from tests.unit.risk.domain.builders import make_limits, make_reference, make_rules

D = Decimal
AT = datetime(2026, 1, 1, tzinfo=UTC)
QUANTITY, PRICE = D("0.02"), D("33333.30")
REFERENCES = (make_reference("40000"), make_reference("50000"), make_reference("70000"))


@dataclass(frozen=True, kw_only=True)
class Wish:
    intent_key: str = "5:ENTRY:1"
    instrument_id: int = 1
    side: Side = Side.BUY
    type: OrderType = OrderType.LIMIT
    quantity: Decimal = QUANTITY
    price: Decimal | None = PRICE
    stop_price: Decimal | None = None
    leg_limit_price: Decimal | None = None
    trailing_delta_bps: int | None = None
    time_in_force: TimeInForce | None = TimeInForce.IOC
    bracket: Bracket | None = None
    is_reduce_only: bool = False
    purpose: Purpose = Purpose.ENTRY
    strategy_id: int | None = 3
    decision_id: int | None = 5


def build(wish: Wish, **changes) -> OrderProposal:
    values = {
        "account_id": 7,
        "rules": make_rules(tick_size=D("0.1")),
        "limits": make_limits(),
        "references": list(REFERENCES),
        "data_at": AT,
        "bar_s": 300,
    }
    return build_proposal(wish, **{**values, **changes})


def test_it_asks_for_a_buy_with_the_protection_that_follows_its_price() -> None:
    assert build(Wish()) == OrderProposal(
        intent_key="5:ENTRY:1",
        account_id=7,
        instrument_id=1,
        symbol="BTCUSDT",
        purpose=Purpose.ENTRY,
        side="BUY",
        type="LIMIT",
        quantity=D("0.02"),
        bar_s=300,
        references=REFERENCES,
        data_at=AT,
        time_in_force="IOC",
        price=D("33333.30"),
        stop_price=None,
        is_reduce_only=False,
        is_manual=False,
        strategy_id=3,
        decision_id=5,
        stop_loss_price=D("32666.7"),
        stop_limit_price=D("32340.0"),
        take_profit_price=D("35000.0"),
    )


@pytest.mark.parametrize(("count", "stop"), [(1, 39200), (2, 49000), (3, 49000)])
def test_it_protects_a_market_buy_from_the_middle_reference(count: int, stop: int) -> None:
    wish = Wish(type=OrderType.MARKET, price=None, time_in_force=None)

    proposal = build(wish, references=[*reversed(REFERENCES[:count])])

    assert proposal.stop_loss_price == D(stop)
    assert (proposal.type, proposal.price, proposal.time_in_force) == ("MARKET", None, None)


def test_it_protects_a_stop_buy_from_its_trigger() -> None:
    wish = Wish(type=OrderType.STOP_LOSS, price=None, stop_price=D(60000), time_in_force=None)

    assert build(wish).stop_loss_price == D(58800)


@pytest.mark.parametrize("changes", [{"rules": None}, {"limits": None}, {"references": []}])
def test_it_leaves_a_buy_unprotected_that_nobody_can_price(changes) -> None:
    proposal = build(Wish(), **changes)

    assert proposal.stop_loss_price is None
    assert proposal.stop_limit_price is None
    assert proposal.take_profit_price is None
    assert proposal.symbol == ("" if "rules" in changes else "BTCUSDT")


def test_it_asks_for_a_sale_as_an_exit_without_protection_of_its_own() -> None:
    wish = Wish(
        side=Side.SELL,
        type=OrderType.STOP_LOSS_LIMIT,
        stop_price=D(40000),
        leg_limit_price=D(39000),
        trailing_delta_bps=50,
        is_reduce_only=True,
        purpose=Purpose.EXIT,
        strategy_id=None,
        decision_id=None,
    )

    proposal = build(wish, is_manual=True)

    assert (proposal.purpose, proposal.side) == (Purpose.EXIT, "SELL")
    assert (proposal.stop_price, proposal.is_reduce_only) == (D(40000), True)
    assert (proposal.leg_limit_price, proposal.trailing_delta_bps) == (D(39000), 50)
    assert proposal.is_manual
    assert (proposal.strategy_id, proposal.decision_id) == (None, None)
    assert proposal.stop_loss_price is None
    assert proposal.take_profit_price is None


@pytest.mark.parametrize(
    ("notional", "quantity"),
    [("1000", "0.02"), ("1000.49", "0.02"), ("1000.50", "0.02001"), ("0.25", "0.000005")],
)
def test_it_buys_whole_steps_and_leaves_less_than_one_to_the_gate(notional, quantity) -> None:
    found = entry_quantity(notional=D(notional), price=D(50000), rules=make_rules())

    assert found == D(quantity)


def test_it_divides_to_the_eighteenth_place() -> None:
    assert entry_quantity(
        notional=D(1), price=D(3), rules=make_rules(step_size=D("1e-18"))
    ) == D("0." + "3" * 18)  # fmt: skip


@pytest.mark.parametrize("is_allowed", [True, False])
def test_a_person_s_stop_and_target_are_those_that_the_gate_judges(*, is_allowed: bool) -> None:
    bracket = Bracket(stop_price=D("30000"), take_profit_price=D("36000"))
    rules = make_rules(tick_size=D("0.1"), otoco_allowed=is_allowed)

    proposal = build(Wish(bracket=bracket), rules=rules)

    assert (proposal.stop_loss_price, proposal.take_profit_price) == (D("30000"), D("36000"))
    assert proposal.stop_limit_price == D("29700")
    # Only what goes to the exchange with the entry counts as orders there.
    assert proposal.has_pending_pair is is_allowed
    assert count_orders(proposal) == (3 if is_allowed else 1)
    assert count_algo_orders(proposal) == (1 if is_allowed else 0)


def test_an_entry_without_them_has_no_pair_at_the_exchange() -> None:
    proposal = build(Wish(), rules=make_rules(otoco_allowed=True))

    assert not proposal.has_pending_pair
    assert (count_orders(proposal), count_algo_orders(proposal)) == (1, 0)
