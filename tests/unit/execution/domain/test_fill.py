"""What the exchange tells of an order, in our words."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from execution.domain.fill import Execution, OrderReport, VenueStatus
from execution.domain.order import OrderEvent, Side

AT = datetime(2026, 1, 1, tzinfo=UTC)
EXECUTION = Execution(
    symbol="BTCUSDT",
    trade_id=1,
    venue_order_id=1,
    side=Side.BUY,
    price=Decimal("1e-18"),
    quantity=Decimal("1e-18"),
    quote_quantity=Decimal(0),
    fee=Decimal(0),
    fee_asset="BTC",
    is_maker=False,
    executed_at=AT,
)
# Written a second time: a wrong row would take an order for dead that lives.
EVENTS = {
    "NEW": "ACCEPT",
    "PENDING_NEW": "WAIT",
    "PARTIALLY_FILLED": "FILL_PART",
    "PENDING_CANCEL": "ACCEPT",
    "FILLED": "FILL",
    "CANCELED": "CANCEL",
    "REJECTED": "REJECT",
    "EXPIRED": "EXPIRE",
    "EXPIRED_IN_MATCH": "EXPIRE",
}


@pytest.mark.parametrize("status", VenueStatus)
def test_it_takes_each_status_for_its_event(status: VenueStatus) -> None:
    report = OrderReport(
        symbol="BTCUSDT",
        client_order_id="ts-A",
        venue_order_id=1,
        side=Side.BUY,
        type="LIMIT",
        status=status,
        quantity=Decimal(1),
        updated_at=AT,
    )

    assert report.event is OrderEvent(EVENTS[status.value])


@pytest.mark.parametrize("field", ["quantity", "price"])
@pytest.mark.parametrize("number", ["0", "-1"])
def test_it_takes_no_trade_of_nothing(field: str, number: str) -> None:
    with pytest.raises(ValueError, match="must be positive, were Execution"):
        replace(EXECUTION, **{field: Decimal(number)})


def test_it_takes_a_trade_of_the_smallest_unit() -> None:
    assert EXECUTION.quantity == EXECUTION.price == Decimal("1e-18")
