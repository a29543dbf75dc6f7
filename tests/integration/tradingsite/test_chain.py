"""What a candle close costs in messages, bytes and queries, whatever the number of symbols."""

import itertools
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bench.counting import Counted, counting
from core.clock import to_ms
from execution.models import Decision, Order
from markets.models import Instrument
from markets.services.ingestion import store_candles
from markets.services.windows import WindowStore
from mlmodels.adapters.artifact_store import FolderArtifactStore
from mlmodels.adapters.factory import get_all_trainers, get_trainers
from mlmodels.ports import silent
from mlmodels.services.serving import ModelCache
from mlmodels.services.training import train_model
from risk.services.trading_state import start_trading, stop_trading
from tests.fakes.clock import HandClock
from tests.integration.execution.conftest import World, build_world
from tests.integration.mlmodels.conftest import BARS, H1, NOW, rows_of
from tests.unit.mlmodels.market import generate
from tradingsite import pipeline

ONE, FEW, MANY = 1, 20, 100
STAGES = ["pipeline.ingest", "pipeline.predict", "pipeline.decide", "execution.place_orders"]
# Explanations and challengers come when the orders are out, on the training worker.
AFTERWARDS = ["mlmodels.after_close"]
# Closes that the default features of a pool look back at 1 h.
WARMUP = 216


@pytest.fixture
def world(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> World:
    """Return 1 + 20 + 100 symbols; the model is believed on the first of each: it enters."""
    settings.PIPELINE_WORKERS = 1
    clock = HandClock(NOW + timedelta(seconds=5))
    names = [f"C{index:03}USDT" for index in range(ONE + FEW + MANY)]
    world = build_world(clock, dict.fromkeys(names, Decimal(100)))
    believed = [world.instruments[names[first]] for first in (0, ONE, ONE + FEW)]
    plain = rows_of(0, generate(WARMUP + 1, seed=3))
    rows = [
        [instrument.pk, *row[1:]]
        for instrument in world.instruments.values()
        if instrument not in believed
        for row in plain
    ]
    for seed, instrument in enumerate(believed, start=1):
        rows += rows_of(instrument.pk, generate(BARS, seed=seed, ic=0.4))
    store_candles(timeframe=H1, rows=rows, now=NOW)
    store = FolderArtifactStore(tmp_path / "models")
    train_model(
        timeframe=H1,
        instrument_ids=[instrument.pk for instrument in believed],
        horizon_bars=12,
        trigger="manual",
        seed=1,
        trainers=get_trainers(),
        store=store,
        now=NOW,
        progress=silent,
    )
    strategy = world.strategy
    strategy.min_confidence, strategy.min_edge_bps = 0.0, -100_000.0
    strategy.save()
    strategy.instruments.set(world.instruments.values())
    models, windows = ModelCache(store=store, trainers=get_all_trainers()), WindowStore()
    # The closes below are flat, which no model has seen; here only their cost matters.
    monkeypatch.setattr("mlmodels.domain.prediction.MAX_DISSIMILARITY", float("inf"))
    monkeypatch.setattr("mlmodels.tasks.get_model_cache", lambda: models)
    monkeypatch.setattr("markets.services.windows.get_window_store", lambda: windows)
    for module in ("tradingsite.pipeline", "execution.tasks"):
        monkeypatch.setattr(f"{module}.get_clock", lambda: clock)
    monkeypatch.setattr("execution.tasks.get_broker", lambda: world.broker)
    return world


def close(world: World, instruments: list[Instrument], hours: int) -> Counted:
    """Close the candle `hours` after NOW for these symbols."""
    close_time = NOW + timedelta(hours=hours)
    world.clock.advance((close_time - world.clock.now()).total_seconds() + 5)
    for symbol in (instrument.symbol for instrument in instruments):
        world.move_price(symbol, "100")
    rows = [
        [instrument.pk, to_ms(close_time) - H1.ms, *["100"] * 4, "5", "500", 3, "2", "200"]
        for instrument in instruments
    ]
    with counting() as counted:
        pipeline.start_chain(timeframe=H1.value, close_time_ms=to_ms(close_time), rows=rows)
    return counted


def kinds(statements: list[str]) -> list[str]:
    """Return what the statements do; SQLite takes one insert of many rows in a few parts."""
    heads = [re.sub(r"\d+|[,(].*", "", statement)[:80] for statement in statements]
    return [head for head, _ in itertools.groupby(heads)]


def test_a_close_of_100_symbols_costs_the_messages_and_queries_of_20(world: World) -> None:
    every = list(world.instruments.values())
    one, few, many = every[:ONE], every[ONE : ONE + FEW], every[ONE + FEW :]
    # Nothing is entered while the windows and the model are loaded.
    stop_trading(reason="warm up", actor="tester", now=world.clock.now())
    close(world, every, hours=1)
    start_trading(reason="go", actor="tester", now=world.clock.now())
    # The very first entry has no position and no live order to look at, and reads less.
    close(world, one, hours=2)

    small = close(world, few, hours=2)
    large = close(world, many, hours=2)

    assert Decision.objects.count() == 2 * (ONE + FEW + MANY)
    assert Order.objects.filter(leg="ENTRY", state="FILLED").count() == 3
    assert small.messages == large.messages == STAGES + AFTERWARDS
    few_kinds = kinds(small.statements)
    # A symbol that features compare with closes with the many only: the few look it up, once.
    few_kinds.remove("SELECT i.id")
    assert few_kinds == kinds(large.statements)
    # Some eight of them afterwards, and SQLite takes the wide predictions in three parts.
    assert len(large.statements) <= 80
    assert large.bytes < MANY / FEW * small.bytes
    assert large.bytes / MANY < 1_000
