"""Hostile input over every endpoint, the WebSocket API and the control calls.

Never a 500, never a change by a refused request. ``SIM_REQUESTS`` sets how many requests are made:
some thousands here, 100,000 by ``make fuzz-sim``. The seeds are fixed, so that what fails once
fails again.
"""

import asyncio
import os
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from simexchange.market.opening import MarketOptions
from simexchange.program import Options
from tests.fakes.sim_hostile import ANY_NAMES, Attacker
from tests.fakes.sim_program import Line, Reply, Socket, Witness, running

REQUESTS = int(os.environ.get("SIM_REQUESTS", "4000"))
PER_EXCHANGE = min(2_000, REQUESTS)
"""Each exchange is young, so that comparing its whole ledger stays cheap."""
COMPARED_EVERY = 40
OPTIONS = Options(
    market=MarketOptions(
        symbols=("BTCUSDT", "ETHUSDT"), history_days=1, manual=True, start_ms=1_790_000_000_000
    ),
    balances={"BTC": Decimal(1_000), "USDT": Decimal(100_000_000)},
    orders_limit=10**6,
    weight_limit=10**9,
    key="SIMkey",
    secret="SIMsecret",
)


class Assault:
    """Requests against one exchange, each held against what it may have changed."""

    def __init__(self, seed: int, program: Any, port: int) -> None:
        self.program = program
        self.attacker = Attacker(seed, program.app.routes, "SIMkey", "SIMsecret")
        self.witness = Witness(program)
        self.line, self.side_line, self.socket = Line(port), Line(port), Socket(port)
        self.accepted: Counter[str] = Counter()

    async def run(self) -> None:
        """Make the requests."""
        for number in range(PER_EXCHANGE):
            draw = self.attacker.chance.random()
            if draw < 0.5:
                await self._over_rest()
            elif draw < 0.85:
                await self._over_socket()
            else:
                await self._control()
            if number % COMPARED_EVERY == 0:
                self.witness.require_journalled()
                await self._reopen()
        self.witness.require_journalled()
        for end in (self.line, self.side_line, self.socket):
            await end.close()

    async def _reopen(self) -> None:
        """Open the symbols again: an attack on a closed market only hears that it is closed."""
        for symbol in OPTIONS.market.symbols:
            body = f'{{"symbol":"{symbol}","status":"TRADING"}}'.encode()
            reply = await self.line.send("POST", "/_sim/symbol", {}, body)
            assert reply.status == 200, reply.body

    def _drawn(self) -> tuple[str, str, bool, dict[str, str]]:
        method, path, route = self.attacker.route()
        names = ANY_NAMES if route.names is None else route.names
        last = float(self.program.market.last_price("BTCUSDT"))
        return method, path, route.signed, self.attacker.params(path, names, last)

    async def _over_rest(self) -> None:
        method, path, signed, params = self._drawn()
        now_ms = self.program.clock.now_ms()
        before = self.witness.sight()
        target, headers, body = self.attacker.request(
            method, path, params, signed=signed, now_ms=now_ms
        )

        reply = await self.line.send(method, target, headers, body)

        sent = f"{method} {target} {body.decode('latin-1')} {headers}"
        check_refusal(sent, reply.status, reply.body)
        self._check_change(sent, method, path, reply.status, reply.body, before)

    async def _over_socket(self) -> None:
        method, path, _, params = self._drawn()
        before = self.witness.sight()
        frame = self.attacker.frame(method, path, params, now_ms=self.program.clock.now_ms())
        if '"v3/order.place"' in frame:  # the attacker's word for it, whatever it drew
            method, path = "POST", "/api/v3/order"

        reply = await self.socket.ask(frame)

        assert reply["status"] == 200 or "error" in reply, frame
        error = reply.get("error", {})
        check_refusal(frame, reply["status"], error)
        self._check_change(frame, method, path, reply["status"], error, before)

    def _check_change(
        self, sent: str, method: str, path: str, status: int, body: Any, before: Any
    ) -> None:
        """Require that only an accepted command, or half of a cancel-replace, changed anything."""
        is_read = method == "GET" or path.endswith("test")
        if is_read or (status != 200 and not (isinstance(body, dict) and body.get("data"))):
            assert self.witness.sight() == before, sent
        elif status == 200:
            self.accepted[path] += 1

    async def _control(self) -> None:
        method, path, body = self.attacker.control()
        before = self.witness.sight()

        reply = await self.line.send(method, path, {}, body)

        sent = f"{method} {path} {body.decode('latin-1')}"
        assert reply.status in {200, 400, 404}, (sent, reply.body)
        if reply.status == 200:
            self.accepted[path] += 1
        else:
            assert reply.body["error"], sent
            assert self.witness.sight() == before, sent
        if path == "/_sim/faults":
            await self._under_fault(reply, body)

    async def _under_fault(self, reply: Reply, body: bytes) -> None:
        """Send a request that the fault may befall, whatever its answer; then lift the faults."""
        if reply.status == 200 and b"delay" not in body:
            method, path, signed, params = self._drawn()
            target, headers, sent = self.attacker.request(
                method, path, params, signed=signed, now_ms=self.program.clock.now_ms()
            )
            try:
                await self.side_line.send(method, target, headers, sent)
            except ConnectionError:
                self.accepted["cut"] += 1
        lifted = await self.line.send("DELETE", "/_sim/faults", {})
        assert (lifted.status, lifted.body) == (200, [])
        await self.socket.close()


def check_refusal(sent: str, status: int, body: Any) -> None:
    assert status < 500, (sent, body)
    if status != 200:
        assert set(body) <= {"code", "msg", "data"}, (sent, body)
        assert body["code"] < 0, sent
        assert body["msg"], sent


@pytest.mark.parametrize("seed", range(REQUESTS // PER_EXCHANGE))
def test_it_neither_breaks_nor_changes_anything_for_a_refused_request(seed: int) -> None:
    async def attack() -> Counter[str]:
        async with running(OPTIONS) as (program, port):
            assault = Assault(seed, program, port)
            await assault.run()
            return assault.accepted

    accepted = asyncio.run(attack())

    changed = {path: count for path, count in accepted.items() if path.startswith("/api/v3/order")}
    assert len(changed) >= 4, "hardly anything was accepted: the attack is blunt"
    assert sum(changed.values()) > PER_EXCHANGE // 50
    assert sum(count for path, count in accepted.items() if path.startswith("/_sim/")) > 20
