import pytest

from simexchange.clock import SimClock
from simexchange.faces.limits import IGNORED_BEFORE_BAN, Limits, Refused


class Wall:
    """A wall clock moved by hand."""

    def __init__(self) -> None:
        self.ms = 600_000.0

    def __call__(self) -> float:
        return self.ms


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def limits(wall: Wall) -> Limits:
    clock = SimClock(origin_sim_ms=0, speed=1_000, wall=wall)
    return Limits(clock, weight_limit=100, orders_10s=3, orders_1d=5)


def test_it_refuses_over_the_weight_until_the_wall_minute_ends(limits: Limits, wall: Wall) -> None:
    wall.ms += 20_000
    limits.charge(100)

    with pytest.raises(Refused) as refusal:
        limits.charge(1)
    wall.ms += 40_000
    used = limits.charge(1)

    assert (refusal.value.status, refusal.value.code) == (429, -1003)
    assert refusal.value.retry_ms == 40_000
    assert used == 1


def test_it_bans_who_does_not_listen(limits: Limits, wall: Wall) -> None:
    limits.charge(100)
    statuses = []
    for _ in range(IGNORED_BEFORE_BAN + 1):
        with pytest.raises(Refused) as refusal:
            limits.charge(1)
        statuses.append(refusal.value.status)
    wall.ms += 61_000
    with pytest.raises(Refused) as later:
        limits.charge(1)
    wall.ms += 120_000

    assert statuses == [429] * IGNORED_BEFORE_BAN + [418]
    assert later.value.status == 418
    assert limits.charge(1) == 1


def test_it_counts_unfilled_orders_per_account(limits: Limits, wall: Wall) -> None:
    for _ in range(3):
        limits.check_orders("1", 1)
        limits.count_orders("1", 1)

    with pytest.raises(Refused) as refusal:
        limits.check_orders("1", 1)
    limits.check_orders("2", 3)
    limits.count_orders("1", -1)
    limits.check_orders("1", 1)
    wall.ms += 10_000
    limits.check_orders("1", 3)
    limits.count_orders("1", 3)
    wall.ms += 10_000
    with pytest.raises(Refused) as day:
        limits.check_orders("1", 1)

    assert (refusal.value.status, refusal.value.code) == (429, -1015)
    assert "3 orders per 10 SECOND" in refusal.value.msg
    assert "5 orders per 1 DAY" in day.value.msg


def test_it_never_counts_below_zero(limits: Limits) -> None:
    limits.count_orders("1", -4)
    limits.give_back(50)

    assert limits.order_counts("1") == (0, 0)
    assert limits.used_weight == 0
