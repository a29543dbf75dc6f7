"""What the contract of brokers needs beside a broker: a price, a clock, and ways to disturb it."""

import json
import time
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.clock import AffineClock
from execution.domain.ids import client_order_id
from execution.domain.order import Leg, OrderType, Side, TimeInForce
from execution.domain.request import OrderRequest, digest
from tests.fakes.broker import Fault

D = Decimal
SYMBOL = "BTCUSDT"


@dataclass
class Desk:
    """A broker with what a test needs to know and to disturb."""

    broker: Any
    clock: Any
    price: Decimal
    sim_url: str | None = None

    def lose_next_reply(self, path: str, call: str, *, accepted: bool) -> None:
        """Let the next write be done (or not) and its reply be lost."""
        if self.sim_url is None:
            self.broker.faults.append(Fault(call, "lose_reply" if accepted else "drop"))
            return
        fault = "accept_then_drop_reply" if accepted else "drop_before_accept"
        rule = {"match": {"method": "POST", "path": path}, "fault": fault, "times": 1}
        post_json(f"{self.sim_url}/_sim/faults", [rule])

    def refuse_next(self, *, http_status: int, code: int) -> None:
        """Answer the next order with an error before it is accepted."""
        if self.sim_url is None:
            fault = Fault("submit", "refuse", http_status=http_status, code=code, message="no")
            self.broker.faults.append(fault)
            return
        rule = {
            "match": {"method": "POST", "path": "/api/v3/order"},
            "fault": "http",
            "status": http_status,
            "code": code,
            "msg": "no",
            "accepted": False,
            "times": 1,
        }
        post_json(f"{self.sim_url}/_sim/faults", [rule])


def post_json(url: str, body: Any) -> None:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200


def sim_clock(url: str) -> AffineClock:
    with urllib.request.urlopen(f"{url}/_sim/clock", timeout=10) as reply:
        told = json.load(reply)
    return AffineClock(
        origin_wall_ms=int(time.time() * 1000), origin_market_ms=told["now_ms"], speed=told["speed"]
    )


def name(request, attempt=1, leg=Leg.ENTRY):
    return client_order_id(account="t", key=request.node.name, leg=leg, attempt=attempt)


def order(client_id, *, side=Side.BUY, quantity="0.01", price=None):
    return OrderRequest(
        symbol=SYMBOL,
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=D(quantity),
        client_order_id=client_id,
        price=price,
        time_in_force=None if price is None else TimeInForce.GTC,
    )


def submit(desk, wanted):
    return desk.broker.submit(
        wanted, request_sha256=digest(wanted.parameters()), signed_at=desk.clock.now()
    )


def rounded(price):
    return price.quantize(D("1"))
