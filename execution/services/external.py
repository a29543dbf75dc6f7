"""Orders that we did not place, found at the exchange."""

from alerts.services.raising import raise_alert
from execution.domain.fill import OrderReport
from execution.domain.ids import is_ours
from execution.domain.order import Leg, OrderEvent, OrderState, OrderType, Side
from execution.models import Order
from execution.services.books import Books

_TYPES = {kind.value for kind in OrderType}


def adopt_external(*, books: Books, report: OrderReport, instrument_id: int) -> Order:
    """Insert a row for somebody else's order, so that its trades have a place in the ledger.

    An order that bears our prefix but has no row is an incident: something sent without writing
    ahead, or a database was lost.
    """
    waits = report.event is OrderEvent.WAIT
    severity = "CRITICAL" if is_ours(report.client_order_id) else "WARNING"
    order = Order.objects.create(
        account=books.account,
        instrument_id=instrument_id,
        leg=Leg.EXTERNAL.value,
        # Others may use a name again; the exchange's own number is unique per symbol.
        client_order_id=f"x{instrument_id}-{report.venue_order_id}",
        context={"client_order_id": report.client_order_id},
        side=Side(report.side).value,
        type=report.type if report.type in _TYPES else OrderType.LIMIT.value,
        quantity=report.quantity,
        price=report.price,
        stop_price=report.stop_price,
        state=(OrderState.PENDING_NEW if waits else OrderState.NEW).value,
        reason="EXTERNAL",
        venue_order_id=report.venue_order_id,
        venue_list_id=report.venue_list_id,
        expires_at=books.now,
        created_at=report.updated_at,
        updated_at=books.now,
    )
    raise_alert(
        code="EXTERNAL_ORDER",
        severity=severity,
        message=f"An order that this system did not place was found in {report.symbol}",
        context={
            "symbol": report.symbol,
            "client_order_id": report.client_order_id,
            "venue_order_id": report.venue_order_id,
        },
        dedupe_key=f"EXTERNAL_ORDER:{report.symbol}:{report.venue_order_id}",
        now=books.now,
    )
    return order
