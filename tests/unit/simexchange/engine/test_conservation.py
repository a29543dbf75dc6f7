"""Whatever is placed, amended, cancelled and traded: no money appears or is lost, none is stuck.

With faults the same goes through the REST face, every fault of the contract composed at random.
``SIM_SEQUENCES`` sets how many sequences are tried: hundreds here, 10,000 by ``make fuzz-sim``.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import OPEN_STATUSES, STATUS_TABLE, IllegalStatusMove
from simexchange.engine.saving import apply, ledger_records
from tests.fakes.sim_exchange import Desk
from tests.fakes.sim_front import FRONT_ACTIONS, FRONT_STEPS, Front
from tests.fakes.sim_steps import STEPS, check_book, check_locks, check_money, new_desk, play

SEQUENCES = int(os.environ.get("SIM_SEQUENCES", "200"))
SEQUENCES_WITH_FAULTS = int(os.environ.get("SIM_SEQUENCES", "40"))
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def deposits(desk: Desk) -> dict[tuple[str, str], Decimal]:
    return {
        (account.account_id, asset): held.free
        for account in desk.ledger.accounts.values()
        for asset, held in account.balances.items()
    }


@settings(PATIENT, max_examples=SEQUENCES)
@given(steps=STEPS)
def test_it_conserves_money_and_locks_exactly_what_open_orders_need(
    steps: list[dict[str, Any]],
) -> None:
    desk = new_desk()
    before = deposits(desk)

    for step in steps:
        play(desk, step)
        check_money(desk, before)
        check_locks(desk)
        check_book(desk)


@settings(PATIENT, max_examples=SEQUENCES_WITH_FAULTS)
@given(steps=FRONT_STEPS)
def test_it_conserves_money_whatever_befalls_the_requests(
    loop: Callable[..., Any], steps: list[dict[str, Any]]
) -> None:
    desk = new_desk(Front)
    desk.run = loop
    before = deposits(desk)

    for step in steps:
        play(desk, step, FRONT_ACTIONS)
        check_money(desk, before)
        check_locks(desk)
        check_book(desk)


@pytest.fixture(scope="module")
def loop() -> Iterator[Callable[..., Any]]:
    with asyncio.Runner() as runner:
        yield runner.run


@settings(max_examples=max(50, SEQUENCES // 4), deadline=None)
@given(steps=STEPS)
def test_it_comes_back_from_its_journal_as_it_was(steps: list[dict[str, Any]]) -> None:
    desk = new_desk()
    for account in desk.ledger.accounts.values():
        desk.exchange.add_account(account)
    for step in steps:
        play(desk, step)

    again = Ledger()
    for record in desk.records:
        apply(again, orjson.loads(orjson.dumps(record)))
    compact = Ledger()
    for record in ledger_records(again):
        apply(compact, orjson.loads(orjson.dumps(record)))

    for other in (again, compact):
        assert other.describe() == desk.ledger.describe()
        assert other.ids() == desk.ledger.ids()
        assert other.amendments == desk.ledger.amendments
    revived = Desk(ledger=compact)
    for name in ("buys", "sells", "rising", "falling"):
        assert [
            (key, turn, order.order_id)
            for key, turn, order in getattr(revived.exchange.matching.books["BTCUSDT"], name)
        ] == [
            (key, turn, order.order_id)
            for key, turn, order in getattr(desk.exchange.matching.books["BTCUSDT"], name)
        ]


@pytest.mark.parametrize("status", sorted(set(STATUS_TABLE.values()) | {"PENDING_NEW"}))
def test_it_moves_a_status_only_as_the_table_says(status: str) -> None:
    desk = Desk()
    order = desk.place("BUY", "LIMIT", quantity="1", price="90")

    for event in {event for _, event in STATUS_TABLE}:
        order.status = status
        if (status, event) in STATUS_TABLE:
            order.move(event)
            assert order.status == STATUS_TABLE[status, event]
        else:
            with pytest.raises(IllegalStatusMove):
                order.move(event)
    assert status in OPEN_STATUSES or not any(status == held for held, _ in STATUS_TABLE)
