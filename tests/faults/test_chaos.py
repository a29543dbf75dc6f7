"""Random compositions of faults. The seed in the test's name makes each of them again.

``make chaos SEED=7 RUNS=200`` runs many; a few run with the suite.
"""

import os
import random
import sys
from collections.abc import Callable

import pytest

from execution.models import Order
from risk.domain.trading_state import Level
from tests.faults.conftest import SYMBOLS, Cell, wait_until
from tests.faults.menu import CRASHES, PLACES, REPLIES
from tests.floor import D

SEED = int(os.environ.get("CHAOS_SEED", "1"))
RUNS = int(os.environ.get("CHAOS_RUNS", "3"))
EVENTS = ("dup_event", "reorder_events", "drop_event")


def break_a_reply(cell: Cell, dice: random.Random) -> str:
    method, path = dice.choice(PLACES)
    name, options = dice.choice(REPLIES)
    cell.fault(name, method=method, path=path, times=dice.randint(1, 3), **options)
    return f"{name} {options} at {method} {path}"


def break_events(cell: Cell, dice: random.Random) -> str:
    name = dice.choice(EVENTS)
    rule = {"match": {"event": "executionReport"}, "fault": name, "times": dice.randint(1, 4)}
    cell.call("POST", "/_sim/faults", [rule])
    cell.start("stream_user_data")
    return name


def kill_the_guardian(cell: Cell, dice: random.Random) -> str:
    place = dice.choice(CRASHES)
    cell.guard(CRASHPOINT=place)
    return f"guardian dies at {place}"


def move_the_market(cell: Cell, dice: random.Random) -> str:
    symbol, share = dice.choice(SYMBOLS), dice.choice(["0.96", "1.06"])
    price = (cell.price(symbol) * D(share)).quantize(cell.price(symbol))
    cell.call("POST", "/_sim/price", {"symbol": symbol, "price": str(price)})
    return f"{symbol} times {share}"


def raise_the_switch(cell: Cell, dice: random.Random) -> str:
    level = dice.choice([Level.REDUCE_ONLY, Level.HALT, Level.CANCEL, Level.FLATTEN])
    scope = dice.choice(["GLOBAL", f"symbol:{dice.choice(SYMBOLS)}"])
    cell.raise_level(level, scope=scope)
    return f"{level} of {scope}"


FAULTS: tuple[Callable[[Cell, random.Random], str], ...] = (
    *(break_a_reply, break_a_reply, break_events),
    *(kill_the_guardian, move_the_market, raise_the_switch),
)


@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
def test_nothing_is_lost_and_nothing_doubled(cell: Cell, seed: int) -> None:
    dice = random.Random(seed)
    story = []
    cell.rest(dice.choice(SYMBOLS))
    for _ in range(dice.randint(2, 3)):
        story.append(dice.choice(FAULTS)(cell, dice))
        symbols = dice.sample(SYMBOLS, dice.randint(1, 3))
        gateway = cell.start(
            "place",
            [cell.decide(symbol).pk for symbol in symbols],
            CRASHPOINT=dice.choice(["", "", *CRASHES]),
        )
        if dice.random() < 0.5:
            gateway.wait()
    story.append(dice.choice(FAULTS)(cell, dice))
    sys.stdout.write(f"seed {seed}: {'; '.join(story)}\n")  # shown when it fails

    cell.guard()
    cell.come_to_rest()

    sent = [row["client_order_id"] for row in cell.ledger()["requests"] if row["method"] == "POST"]
    names = Order.objects.filter(parent__isnull=True).values_list("client_order_id", flat=True)
    assert all(sent.count(name) <= 1 for name in names)
    wait_until(lambda: not Order.objects.filter(state="UNKNOWN").exists(), what="certainty")
