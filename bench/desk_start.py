"""Starts a whole desk for the chain's measurement: exchange, database, broker and real workers.

Nothing is replaced: which symbols place an order is a matter of two strategies' thresholds.
"""

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench import market, servers, system
from bench.desk import ACTOR, BAR_MS, SIZES, SPEED, TIMEFRAME, Desk, read_json

PIPELINE_WORKERS = 2
_BARS = 620
# Those that may enter need as many candles as the gates of a model ask for.
_LEARNED_BARS = 1_400
_NEVER_BPS = 100_000.0


@contextmanager
def running_desk(folder: Path, *, database_url: str) -> Iterator[Desk]:
    """Start everything, train the model and set up the strategies."""
    symbols = [f"T{number:03d}USDT" for number in range(sum(SIZES))]
    with ExitStack() as stack:
        begun = time.monotonic()
        told = stack.enter_context(
            servers.exchange(
                folder,
                *("--generate", "--symbols", ",".join(symbols), "--speed", f"{SPEED:g}"),
                *("--history-days", "1", "--balance", "USDT=50000000"),
                *("--orders-limit", "1000000", "--weight-limit", "100000000"),
            )
        )
        system.say(f"exchange with {len(symbols)} symbols: {time.monotonic() - begun:.1f} s")
        url = f"http://127.0.0.1:{told['port']}"
        clock = read_json(f"{url}/_sim/clock")
        origin = (float(round(clock["origin_wall_ms"])), int(clock["origin_sim_ms"]))
        environment = system.set_up(
            folder,
            DATABASE_URL=database_url,
            REDIS_URL=stack.enter_context(servers.broker(folder)),
            SIM_URL=url,
            CLOCK=f"{origin[0]:.0f}:{origin[1]}:{SPEED:g}",
            BINANCE_API_KEY=told["key"],
            BINANCE_API_SECRET=told["secret"],
            PIPELINE_WORKERS=str(PIPELINE_WORKERS),
        )
        desk = _prepare(symbols, url=url, origin=origin, pid=told["pid"])
        for name, command, own in _workers():
            stack.enter_context(
                servers.program(name, command, folder=folder, environment={**environment, **own})
            )
        yield desk


def _prepare(symbols: list[str], *, url: str, origin: tuple[float, int], pid: int) -> Desk:
    from django.core.management import call_command

    from core.clock import get_clock
    from execution.services.accounts import open_account
    from markets.adapters.factory import get_market_data
    from markets.services.instruments import sync_instruments
    from risk.services.limits import save_limits
    from risk.services.trading_state import start_trading

    now = get_clock().now()
    ids = sync_instruments(market_data=get_market_data(), symbols=symbols, now=now)
    by_id = dict(zip(ids, sorted(symbols), strict=True))
    subsets, first = {}, 0
    for size in SIZES:
        subsets[size] = tuple(ids[first : first + size])
        first += size
    account = open_account(name="demo", mode="demo", quote_asset="USDT", now=now)
    desk = Desk(
        account_id=account.pk,
        subsets=subsets,
        entering=frozenset(key for some in subsets.values() for key in some[: 2 * _tenth(some)]),
        symbols=by_id,
        exchange_url=url,
        exchange_pid=pid,
        origin=origin,
    )
    save_limits(
        changes={
            "max_positions": 100,
            "max_open_orders": 200,
            "max_position_size": Decimal(20_000),
            "max_daily_loss": Decimal(100_000),
            "max_data_age_bars": 10,
            "duplicate_window_s": 0,
            # Out of the market's reach: nobody here books what a stop sells between two rounds.
            "stop_loss_fraction": Decimal("0.3"),
            "take_profit_fraction": Decimal("0.5"),
        },
        actor=ACTOR,
        reason="a tenth of 621 symbols enters at every close",
        now=now,
    )
    _store_history(desk)
    desk = replace(desk, entering=_choose(subsets, _train(desk)))
    _make_strategies(desk, ids)
    call_command("reconcile", verbosity=0)
    start_trading(reason="measuring", actor=ACTOR, now=get_clock().now())
    return desk


def _tenth(subset: Sequence[int]) -> int:
    return -(-len(subset) // 10)


def _choose(subsets: Mapping[int, Sequence[int]], believed: Set[int]) -> frozenset[int]:
    """Return a tenth of each subset on which the model is believed: they enter."""
    chosen: set[int] = set()
    for subset in subsets.values():
        fit = [key for key in subset if key in believed][: _tenth(subset)]
        if len(fit) < _tenth(subset):
            raise RuntimeError(f"the model is believed on {len(fit)} of {len(subset)} symbols")
        chosen.update(fit)
    return frozenset(chosen)


def _make_strategies(desk: Desk, ids: list[int]) -> None:
    """Make one strategy that always enters and one that never does, by thresholds alone."""
    from execution.models import Strategy

    always = Strategy.objects.create(
        name="always",
        account_id=desk.account_id,
        timeframe=TIMEFRAME,
        base_position_size=Decimal(1000),
        min_confidence=0.0,
        min_edge_bps=-_NEVER_BPS,
        cooldown_bars=0,
        max_holding_bars=10_000,
    )
    always.instruments.set(desk.entering)
    never = Strategy.objects.create(
        name="never", account_id=desk.account_id, timeframe=TIMEFRAME, min_edge_bps=_NEVER_BPS
    )
    never.instruments.set(set(ids) - desk.entering)


def _store_history(desk: Desk) -> None:
    from core.clock import from_ms, get_clock
    from markets.services.ingestion import store_candles

    end_ms = get_clock().now_ms() // BAR_MS * BAR_MS
    desk.last_close_ms.update(dict.fromkeys(SIZES, end_ms))
    found = read_json(f"{desk.exchange_url}/api/v3/ticker/price")
    prices = {row["symbol"]: row["price"] for row in found}
    rows: list[list[Any]] = []
    for key, symbol in desk.symbols.items():
        price = prices[symbol]
        rows += market.planted_rows(
            key,
            interval_ms=BAR_MS,
            end_ms=end_ms,
            count=_LEARNED_BARS if key in desk.entering else _BARS,
            last_price=float(price),
            price_places=max(2, len(price.partition(".")[2].rstrip("0"))),
        )
    begun = time.monotonic()
    store_candles(timeframe=TIMEFRAME, rows=rows, now=from_ms(end_ms))
    system.say(f"{len(rows):,} candles stored: {time.monotonic() - begun:.1f} s")


def _train(desk: Desk) -> Set[int]:
    """Train on the symbols that may enter, and return those on which the model is believed."""
    from core.clock import get_clock
    from markets.domain.timeframe import Timeframe
    from mlmodels.adapters.factory import get_all_trainers, get_artifact_store, get_trainers
    from mlmodels.services.serving import ModelCache
    from mlmodels.services.training import train_model

    begun = time.monotonic()
    train_model(
        timeframe=Timeframe(TIMEFRAME),
        instrument_ids=sorted(desk.entering),
        horizon_bars=1,
        trigger="manual",
        seed=7,
        trainers=get_trainers(),
        store=get_artifact_store(),
        now=get_clock().now(),
        progress=lambda _done, _total, _message: None,
        lease=timedelta(days=1),
    )
    cache = ModelCache(store=get_artifact_store(), trainers=get_all_trainers())
    model = cache.champion(TIMEFRAME)
    if model is None:
        raise RuntimeError("no model was trained")
    system.say(f"model trained: {time.monotonic() - begun:.1f} s")
    return model.bundle.skilled


def _workers() -> list[tuple[str, list[str], Mapping[str, str]]]:
    """Return name, command and variables of the real workers: orders, and two for the pipeline."""
    from tradingsite.supervisor import plan
    from tradingsite.supervisor.launching import LEAN

    specs = {spec.name: spec for spec in plan.system(port=0, with_web=False)}
    orders, pipeline = specs["worker-orders"], specs["worker-pipeline"]
    found = [(orders.name, list(orders.argv), {**LEAN, **orders.env})]
    for number in range(PIPELINE_WORKERS):
        command = [f"pipeline.{number}" if part == "pipeline.0" else part for part in pipeline.argv]
        name = f"{pipeline.name}{number}"
        command[command.index("-n") + 1] = f"{name}@%h"
        found.append((name, command, {**LEAN, **pipeline.env}))
    return found
