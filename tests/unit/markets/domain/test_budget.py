"""Who may use how much of the request weight, and when nobody may ask at all."""

import pytest

from markets.domain.budget import MINUTE_MS, SHARES, Priority, Usage, priority_of, wait_ms

NOW_MS = 1000 * MINUTE_MS + 20_000


def left(used: int, priority: Priority, **usage: int) -> int:
    known = Usage(**{"minute": 1000, "used": used, **usage})
    return wait_ms(known, priority=priority, limit=6000, now_ms=NOW_MS)


@pytest.mark.parametrize("priority", list(Priority))
def test_each_may_use_its_share_and_then_waits_for_the_next_minute(priority: Priority) -> None:
    share = round(SHARES[priority] * 6000)

    assert left(share - 1, priority) == 0
    assert left(share, priority) == MINUTE_MS - 20_000


def test_cancels_keep_a_reserve_that_nothing_else_may_use() -> None:
    assert left(5400, Priority.EXIT) > 0
    assert left(5400, Priority.CANCEL) == 0
    assert SHARES[Priority.ENTRY] <= 0.8


def test_what_was_used_in_another_minute_does_not_count() -> None:
    assert left(6000, Priority.DATA, minute=999) == 0


@pytest.mark.parametrize("priority", list(Priority))
def test_nobody_asks_while_the_exchange_wants_silence(priority: Priority) -> None:
    assert left(0, priority, frozen_until_ms=NOW_MS + 3000) == 3000
    assert left(0, priority, frozen_until_ms=NOW_MS) == 0


@pytest.mark.parametrize(
    ("method", "path", "side", "priority"),
    [
        ("delete", "/api/v3/order", "", Priority.CANCEL),
        ("delete", "/api/v3/openOrders", "", Priority.CANCEL),
        ("post", "/api/v3/order", "SELL", Priority.EXIT),
        ("post", "/api/v3/orderList/oco", "SELL", Priority.EXIT),
        ("post", "/api/v3/order", "BUY", Priority.ENTRY),
        ("get", "/api/v3/order", "", Priority.EXIT),
        ("get", "/api/v3/myTrades", "", Priority.EXIT),
        ("get", "/api/v3/klines", "", Priority.DATA),
        ("get", "/api/v3/exchangeInfo", "", Priority.DATA),
    ],
)
def test_it_knows_what_a_request_is_for(
    method: str, path: str, side: str, priority: Priority
) -> None:
    assert priority_of(method=method, path=path, side=side) is priority
