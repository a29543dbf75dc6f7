"""One budget for two processes, with Redis between them and without."""

import pytest

from core import redis_client
from markets.adapters.binance_client import weight_limit_of
from markets.adapters.rate_budget import BudgetSpent, RateBudget
from markets.domain.budget import Priority

ORIGIN = "http://127.0.0.1:9443"


def pair() -> tuple[RateBudget, RateBudget]:
    return RateBudget(origin=ORIGIN, limit=6000), RateBudget(origin=ORIGIN, limit=6000)


def test_what_one_uses_the_other_knows() -> None:
    here, there = pair()

    here.learn(used=5000, http_status=200, retry_after_s=None)

    with pytest.raises(BudgetSpent) as raised:
        there.require(Priority.ENTRY)
    assert 0 < raised.value.context["retry_after_s"] <= 60
    there.require(Priority.EXIT)
    there.require(Priority.CANCEL)
    RateBudget(origin="http://127.0.0.1:1", limit=6000).require(Priority.DATA)


@pytest.mark.parametrize(
    ("status", "asked", "least"), [(429, 3, 2), (418, 120, 119), (429, None, 9)]
)
def test_a_wait_that_one_is_asked_for_holds_for_all(
    status: int, asked: int | None, least: int
) -> None:
    here, there = pair()

    here.learn(used=None, http_status=status, retry_after_s=asked)

    for priority in Priority:
        with pytest.raises(BudgetSpent) as raised:
            there.require(priority)
        assert raised.value.context["retry_after_s"] >= least
    assert there.quiet_s() > 0


def test_a_late_and_lower_figure_does_not_free_the_budget() -> None:
    here, there = pair()
    here.learn(used=5900, http_status=200, retry_after_s=None)
    there.learn(used=100, http_status=200, retry_after_s=None)

    with pytest.raises(BudgetSpent):
        there.require(Priority.DATA)
    with pytest.raises(BudgetSpent):
        here.require(Priority.EXIT)


def test_without_redis_each_goes_on_with_what_it_knows(settings, monkeypatch) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(redis_client, "_pause_until", 0.0)
    here, there = pair()

    here.learn(used=None, http_status=429, retry_after_s=5)

    with pytest.raises(BudgetSpent):
        here.require(Priority.CANCEL)
    there.require(Priority.DATA)
    monkeypatch.setattr(redis_client, "_pause_until", 0.0)


def test_it_learns_the_limit_from_the_exchange_and_tells_the_others() -> None:
    first, second = RateBudget(origin=ORIGIN), RateBudget(origin=ORIGIN)
    pinned = RateBudget(origin=ORIGIN, limit=500)

    first.learn_limit(1200)
    pinned.learn_limit(1200)
    first.learn(used=1190, http_status=200, retry_after_s=None)

    assert (first.limit, pinned.limit) == (1200, 500)
    with pytest.raises(BudgetSpent):
        second.require(Priority.EXIT)
    assert second.limit == 1200


def test_it_reads_the_limit_of_a_minute() -> None:
    told = {
        "rateLimits": [
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
            },
        ]
    }

    assert (weight_limit_of(told), weight_limit_of({})) == (6000, None)
