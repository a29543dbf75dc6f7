"""The local exchange: how many orders it takes, in process and over HTTP, and how fast."""

import hashlib
import hmac
import itertools
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil

from bench import load, servers, system
from bench.load import Load

_SYMBOL = "BTCUSDT"
_QUANTITY = "0.001"
_BALANCES = {"BTC": Decimal(1_000), "USDT": Decimal(100_000_000)}
_INPROC_ORDERS = 4_000
_WARM_UP_S = 0.5
_HTTP_CONNECTIONS = 8
_HTTP_S = 4.0
_PACED_PER_S = 100.0
_PACED_ORDERS = 800


def measure(folder: Path) -> dict[str, float]:
    """Place market orders, buying and selling in turns; each is filled at once."""
    figures = {"sim_orders_per_s_inproc": _in_process()}
    system.say(f"in process: {figures['sim_orders_per_s_inproc']:.0f} orders/s")
    return figures | _over_http(folder)


def _in_process() -> float:
    """Return orders/s of the engine alone: generated market, no journal, no wire."""
    from simexchange.engine.orders import OrderRequest
    from simexchange.market.opening import MarketOptions
    from simexchange.program import Options, Program

    program = Program(Options(market=MarketOptions(symbols=(_SYMBOL,)), balances=_BALANCES))
    requests = {
        side: OrderRequest(symbol=_SYMBOL, side=side, type="MARKET", quantity=Decimal(_QUANTITY))
        for side in ("BUY", "SELL")
    }
    sides = itertools.cycle(requests)
    begun = time.perf_counter()
    for _ in range(_INPROC_ORDERS):
        order = program.exchange.place(program.account, requests[next(sides)])
        if order.status != "FILLED":
            raise RuntimeError(f"the engine left an order {order.status}")
    return round(_INPROC_ORDERS / (time.perf_counter() - begun), 1)


def _over_http(folder: Path) -> dict[str, float]:
    """Measure the whole program with its journal: signed requests on keep-alive connections."""
    balances = ",".join(f"{asset}={held}" for asset, held in _BALANCES.items())
    options = ("--generate", "--symbols", _SYMBOL, "--balance", balances)
    limits = ("--orders-limit", "1000000", "--weight-limit", "100000000")
    state = ("--state", str(folder / "state.jsonl"))
    with servers.exchange(folder, *options, *limits, *state) as told:
        make, port = _signed_orders(told), int(told["port"])
        load.run_closed(make, port=port, connections=1, seconds=_WARM_UP_S)
        full = load.run_closed(make, port=port, connections=_HTTP_CONNECTIONS, seconds=_HTTP_S)
        system.say(f"HTTP at {_HTTP_CONNECTIONS} connections: {full.per_s:.0f} orders/s")
        paced = load.run_paced(make, port=port, per_s=_PACED_PER_S, count=_PACED_ORDERS)
        system.say(f"HTTP at {_PACED_PER_S:.0f} orders/s: p99 {paced.p99_ms():.1f} ms")
        memory_mb = psutil.Process(told["pid"]).memory_info().rss / 2**20
    _require_accepted(full, paced)
    return {
        "sim_orders_per_s_http": round(full.per_s, 1),
        "sim_order_median_ms": round(paced.median_ms(), 2),
        "sim_order_p99_ms": round(paced.p99_ms(), 2),
        "sim_rss_mb": round(memory_mb, 1),
    }


def _signed_orders(told: dict[str, Any]) -> Callable[[], bytes]:
    """Return a function that makes the next signed market order."""
    secret = told["secret"].encode()
    sides = itertools.cycle(("BUY", "SELL"))

    def make() -> bytes:
        query = (
            f"symbol={_SYMBOL}&side={next(sides)}&type=MARKET&quantity={_QUANTITY}"
            f"&newOrderRespType=FULL&timestamp={int(time.time() * 1000)}"
        )
        signature = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
        return (
            f"POST /api/v3/order?{query}&signature={signature} HTTP/1.1\r\n"
            f"Host: 127.0.0.1\r\nX-MBX-APIKEY: {told['key']}\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    return make


def _require_accepted(*loads: Load) -> None:
    for found in loads:
        if found.errors:
            raise RuntimeError(f"the exchange answered {dict(found.statuses)}")
