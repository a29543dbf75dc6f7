from simexchange.engine.finding import ARCHIVED_AFTER_MS, is_archived
from tests.fakes.sim_exchange import Desk


def test_orders_that_ended_unfilled_are_archived_after_ninety_days() -> None:
    desk = Desk()
    canceled = desk.place("BUY", "LIMIT", quantity="1", price="90")
    desk.exchange.cancel(desk.account, "BTCUSDT", order_id=canceled.order_id)
    filled = desk.place("BUY", quantity="1")
    resting = desk.place("BUY", "LIMIT", quantity="1", price="90")

    desk.clock.advance(ARCHIVED_AFTER_MS)
    in_time = is_archived(canceled, desk.clock.now_ms())
    desk.clock.advance(1)

    assert not in_time
    assert [is_archived(one, desk.clock.now_ms()) for one in (canceled, filled, resting)] == [
        True,
        False,
        False,
    ]
