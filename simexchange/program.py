"""The composition root: options in, a listening exchange out."""

import asyncio
import contextlib
import gc
import itertools
import secrets
import signal
import socket
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11
from websockets.frames import Frame

from simexchange.clock import SimClock
from simexchange.engine import saving
from simexchange.engine.accounts import Account, Credential
from simexchange.engine.commission import Commission
from simexchange.engine.exchange import Exchange, ignore_record
from simexchange.engine.records import to_record
from simexchange.faces.app import App
from simexchange.faces.control import Control
from simexchange.faces.gateway import Gateway
from simexchange.faces.limits import ORDERS_10S_LIMIT, WEIGHT_LIMIT, Limits
from simexchange.faces.misbehave import Misbehaviour
from simexchange.faces.rest_account import AccountFace
from simexchange.faces.rest_general import routes as general_routes
from simexchange.faces.rest_lists import ListFace
from simexchange.faces.rest_market import market_routes
from simexchange.faces.rest_orders import OrdersFace
from simexchange.faces.rest_replace import ReplaceFace
from simexchange.faces.rest_sapi import SapiFace
from simexchange.faces.rest_trade import TradeFace
from simexchange.faces.streams import MarketStreams
from simexchange.faces.user_streams import UserStreams
from simexchange.faces.ws_api import SocketApi
from simexchange.faults import Faults
from simexchange.journal import COMPACT_ABOVE, SYNC_EVERY_S, Journal
from simexchange.market.floor import Floor
from simexchange.market.opening import MarketOptions, open_market
from simexchange.market.resting import RestingOrders
from simexchange.pauses import keep_pauses_short
from simexchange.saved import FORMAT_RECORD, Saved, candle_record

LONGEST_ADDRESS = 65_536
"""A stream address names up to 1024 streams; the library's own bound ends at about 450."""
MARK_EVERY_S = 0.2
MARKET_EVERY_MARKS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOrigin:
    """A clock shared with other processes: at `wall_ms` exchange time was `sim_ms`."""

    wall_ms: float
    sim_ms: int
    speed: float

    def at(self, wall_ms: float) -> int:
        """Return exchange time at the wall time."""
        return self.sim_ms + int((wall_ms - self.wall_ms) * self.speed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    market: MarketOptions
    host: str = "127.0.0.1"
    port: int = 0
    balances: dict[str, Decimal] = field(default_factory=dict)
    fee_bps: Decimal = Decimal(10)
    state: Path | None = None
    sync_every_s: float = SYNC_EVERY_S
    compact_above: int = COMPACT_ABOVE
    key: str = ""
    secret: str = ""
    clock: ClockOrigin | None = None
    weight_limit: int = WEIGHT_LIMIT
    orders_limit: int = ORDERS_10S_LIMIT


class AnyPong(WebSocketsSansIOProtocol):
    """A connection that is kept by any pong: some clients answer pings with an empty one."""

    def handle_pong(self, event: Frame) -> None:
        """Take the pong as the answer to the ping in flight."""
        if self.pending_ping_payload is not None:
            event.data = self.pending_ping_payload
        super().handle_pong(event)


class Server(uvicorn.Server):
    """A server that leaves the signals to the program, so that its state is closed in order."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield


class Program:
    """A built exchange; `serve` runs it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        saved = self._saved = Saved(options.state, options.market.seed)
        self.clock, self.market = self._open_market(saved)
        self.exchange = Exchange(ledger=saved.ledger, market=self.market, clock=self.clock)
        for symbol, rules in self.exchange.rules.items():
            rules.change({"filters": self.market.filters(symbol)})
        for symbol, record in saved.symbols.items():
            self.exchange.rules[symbol].change(record)
        self.exchange.exchange_rules.change(saved.rules)
        self.account = self._first_account()
        self.journal: Journal | None = None
        if options.state is not None:
            self.journal = Journal(
                options.state,
                self._state_records(),
                sync_every_s=options.sync_every_s,
                compact_above=options.compact_above,
            )
            self.market.on_touched(self._keep_candle)
        self.exchange.record = self._record
        self.resting = RestingOrders(self.market)
        for order in self.exchange.ledger.orders.values():
            if order.is_open:
                self.resting.take({"o": [to_record(order)]})
        self.app = self._compose()

    def _open_market(self, saved: Saved) -> tuple[SimClock, Floor]:
        if saved.market is None:
            return self._open_market_of(saved)
        with saved.naming_the_file():
            return self._open_market_of(saved)

    def _open_market_of(self, saved: Saved) -> tuple[SimClock, Floor]:
        origin = self.options.clock
        if origin is None:
            return open_market(self.options.market, saved=saved.market_at(saved.now_ms))
        if self.options.market.mirror:
            clock, market = open_market(self.options.market, saved=saved.market_at(saved.now_ms))
            clock.origin_wall_ms, clock.origin_sim_ms = origin.wall_ms, origin.sim_ms
            return clock, market
        now_ms = max(origin.at(SimClock(origin_sim_ms=0).wall_ms()), saved.now_ms)
        clock, market = open_market(self.options.market, saved=saved.market_at(now_ms))
        clock.origin_wall_ms, clock.origin_sim_ms = origin.wall_ms, origin.sim_ms
        market.catch_up()
        return clock, market

    def _record(self, record: dict[str, Any]) -> None:
        """Journal what happened, then let the public book show it."""
        if self.journal is not None:
            self.journal.write(record)
        self.resting.take(record)

    def _keep_candle(self, symbol: str, open_ms: int, row: list[int]) -> None:
        record = candle_record(symbol, open_ms, row)
        self._saved.keep_candle(record)
        self._record(record)

    def _is_unwatched(self) -> bool:
        return not self.streams.follows_prints and not any(self.exchange.matching.books.values())

    def _first_account(self) -> Account:
        ledger, options = self.exchange.ledger, self.options
        fee = options.fee_bps / Decimal(10_000)
        account = ledger.accounts.get("1")
        if account is None:
            key = Credential(
                options.key or "SIM" + secrets.token_hex(30)[:61],
                options.secret or secrets.token_hex(32),
            )
            account = Account.open("1", Commission.flat(fee, fee), [key])
            for asset, quantity in options.balances.items():
                account.credit(asset, quantity)
        elif options.key:
            ledger.by_key.pop(account.first_key.key, None)
            key = Credential(options.key, options.secret)
            others = list(account.credentials.values())[1:]
            account.credentials = {one.key: one for one in (key, *others)}
        for rules in self.exchange.rules.values():
            account.balance(rules.base)
            account.balance(rules.quote)
        ledger.add_account(account)
        return account

    def _state_records(self) -> Iterator[dict[str, Any]]:
        """Take hold of all that a restart needs, to be read by and by."""
        exchange = self.exchange
        others = [
            *self._saved.candle_records(),
            *(exchange.symbol_record(rules) for rules in exchange.rules.values()),
            exchange.rules_record(),
            {"k": "market", "market": self.market.snapshot()},
            {"k": "time", "t": self.clock.now_ms()},
        ]
        return itertools.chain([FORMAT_RECORD], saving.ledger_records(exchange.ledger), others)

    def _compose(self) -> App:
        limits = Limits(
            self.clock,
            weight_limit=self.options.weight_limit,
            orders_10s=self.options.orders_limit,
        )
        faults = Faults(self.clock.wall_ms)
        self.users = UserStreams(faults, self.clock)
        self.exchange.publish = self.users.publish
        gateway = Gateway(self.exchange, limits)
        routes = {
            **market_routes(self.market, self._status_of),
            **general_routes(self.exchange, limits),
            **AccountFace(self.exchange, limits).routes(),
            **OrdersFace(self.exchange).routes(),
            **TradeFace(self.exchange, limits).routes(),
            **ReplaceFace(self.exchange, limits).routes(),
            **ListFace(self.exchange, limits).routes(),
            **SapiFace(self.exchange).routes(),
        }
        self.streams = MarketStreams(self.market, faults)
        self.market.is_unwatched = self._is_unwatched
        control = Control(
            gateway, faults, cut=self._cut, shut_down=self._shut_down, mute=self._mute
        )
        misbehaviour = Misbehaviour(faults, gateway, control.fire)
        self.socket_api = SocketApi(gateway, routes, self.users, misbehaviour)
        return App(
            gateway=gateway,
            routes=routes,
            control=control,
            socket_api=self.socket_api,
            streams=self.streams,
            misbehaviour=misbehaviour,
        )

    def _status_of(self, symbol: str) -> str:
        return self.exchange.rules[symbol].status

    def _cut(self) -> int:
        return self.streams.cut() + self.socket_api.cut()

    def _shut_down(self) -> int:
        return self.streams.shut_down() + self.socket_api.shut_down()

    def _mute(self, ms: float) -> None:
        self.streams.mute(ms)
        self.users.mute(ms)

    async def _keep_marks(self) -> None:
        """Journal the time often and the market now and then, so that a kill costs little."""
        marks = 0
        while True:
            await asyncio.sleep(MARK_EVERY_S)
            marks += 1
            if self.exchange.market_moved and marks % MARKET_EVERY_MARKS == 0:
                self.exchange.keep_market()
            self.exchange.keep_time()

    async def serve(self, listener: socket.socket) -> None:
        """Answer on `listener` until told to stop.

        Raises:
            Exception: what ended the market, the streams or the journal.
        """
        http11.MAX_LINE_LENGTH = LONGEST_ADDRESS
        config = uvicorn.Config(
            self.app,
            http="httptools",
            ws=AnyPong,
            lifespan="off",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws_ping_interval=20.0,
            ws_ping_timeout=60.0,
            # Half the work of streaming to a machine's own clients would be compression.
            ws_per_message_deflate=False,
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
        )
        server = Server(config)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._leave, server, number)
        tasks = [
            asyncio.create_task(self.market.run(), name="market"),
            asyncio.create_task(self.streams.run(), name="streams"),
            asyncio.create_task(self.socket_api.run(), name="socket-api"),
            asyncio.create_task(keep_pauses_short(), name="pauses"),
        ]
        if self.journal is not None:
            tasks.append(asyncio.create_task(self._keep_marks(), name="marks"))
            tasks.append(asyncio.create_task(self.journal.keep_synced(), name="sync"))
            compacting = self.journal.keep_compact(self._state_records)
            tasks.append(asyncio.create_task(compacting, name="compact"))
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="server")
        self._announce(listener)
        gc.collect()
        gc.freeze()
        done, _ = await asyncio.wait({serving, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        self._close()
        for task, outcome in zip(tasks, ended, strict=True):
            if task in done and isinstance(outcome, Exception):
                raise outcome

    def _leave(self, server: Server, number: int) -> None:
        """Tell every stream that the server goes away, then end."""
        self._shut_down()
        server.handle_exit(number, None)

    def _announce(self, listener: socket.socket) -> None:
        line = {
            "event": "listening",
            "port": listener.getsockname()[1],
            "key": self.account.first_key.key,
            "secret": self.account.first_key.secret,
            "speed": "manual" if self.clock.manual else self.clock.speed,
        }
        sys.stdout.write(orjson.dumps(line).decode() + "\n")
        sys.stdout.flush()

    def _close(self) -> None:
        if self.journal is not None:
            self.exchange.keep_market()
            self.exchange.keep_time()
            self.exchange.record = ignore_record
            self.journal.close()
