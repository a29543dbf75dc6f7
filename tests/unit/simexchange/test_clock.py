import asyncio

import pytest

from simexchange.clock import SimClock


class Wall:
    def __init__(self) -> None:
        self.ms = 1_000.0

    def __call__(self) -> float:
        return self.ms


def test_it_runs_at_its_speed_from_its_origin() -> None:
    wall = Wall()
    clock = SimClock(origin_sim_ms=50_000, speed=60.0, wall=wall)

    wall.ms += 250

    assert clock.now_ms() == 50_000 + 15_000
    assert clock.elapsed_wall_ms(60_000) == 1_000


def test_it_never_goes_back_with_the_wall() -> None:
    wall = Wall()
    clock = SimClock(origin_sim_ms=0, wall=wall)
    wall.ms += 500
    later = clock.now_ms()

    wall.ms -= 400

    assert clock.now_ms() == later


def test_it_wakes_sleepers_when_advanced_by_hand() -> None:
    async def scenario() -> list[int]:
        clock = SimClock(origin_sim_ms=0, manual=True)
        woken: list[int] = []

        async def sleeper(at_ms: int) -> None:
            await clock.sleep_until(at_ms)
            woken.append(at_ms)

        tasks = [asyncio.create_task(sleeper(at_ms)) for at_ms in (300, 100)]
        await asyncio.sleep(0)
        clock.advance(100)
        await asyncio.sleep(0)
        early = list(woken)
        clock.advance(200)
        await asyncio.gather(*tasks)
        return early

    assert asyncio.run(scenario()) == [100]


def test_it_refuses_to_be_advanced_when_it_runs_by_itself() -> None:
    with pytest.raises(ValueError, match="manual"):
        SimClock(origin_sim_ms=0).advance(1)
    with pytest.raises(ValueError, match="back"):
        SimClock(origin_sim_ms=0, manual=True).advance(-1)
