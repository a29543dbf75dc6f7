"""Market streams over WebSocket: ``/ws``, ``/ws/<streams>``, ``/stream?streams=…``."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from simexchange.faces.bending import Bender
from simexchange.faces.candle_topics import KlineTopic, SecondTopic
from simexchange.faces.limits import Window
from simexchange.faces.stream_client import TOO_MANY_COMMANDS, StreamClient
from simexchange.faces.stream_topics import PrintTopic, make_topic
from simexchange.faces.stream_views import micro_payload
from simexchange.faces.stream_wire import (
    asked_streams,
    asks_microseconds,
    text_of,
    wrapped,
    write_out,
)
from simexchange.faces.topic import Beat, Payload, Topic
from simexchange.faults import Faults
from simexchange.market.floor import Floor
from simexchange.market.symbolstate import Print

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BEAT_MS = 100
BEATS_PER_SECOND = 10
BEATS_PER_CANDLE_UPDATE = 20
LIFE_MS = 24 * 60 * 60 * 1000
CONNECTS_MS, MOST_CONNECTS = 5 * 60 * 1000, 300
"""The exchange takes so many new connections within so much time."""
GOING_AWAY, ABNORMAL = 1001, 1011


class MarketStreams:
    """The hub of all market stream connections, and their ASGI application.

    A payload is serialized once however many clients hear it, and not at all without one. The
    web server that runs the application sends the pings (every 20 s, giving up after 60 s).

    Args:
        market: whose tape is published.
        faults: those whose match names a `stream` bend what is published.
    """

    def __init__(self, market: Floor, faults: Faults | None = None) -> None:
        self._market = market
        self._faults = faults or Faults()
        self._bender = Bender(self._faults, self.mute, naming="stream")
        self._connects = Window(CONNECTS_MS)
        self._clients: set[StreamClient] = set()
        self._topics: dict[str, Topic] = {}
        self._listeners: dict[str, set[StreamClient]] = {}
        self._by_beat: dict[Beat, dict[str, Topic]] = {beat: {} for beat in Beat}
        self._prints: dict[str, list[PrintTopic]] = {}
        self._muted_until_ms = 0.0
        self._muted_part = ""
        self._touch_due = False
        market.on_print(self._on_print)
        market.on_close(self._on_close)
        market.on_batch(self._publish_touch)

    @property
    def follows_prints(self) -> bool:
        """Whether somebody hears single prints or seconds."""
        return any(self._prints.values()) or bool(self._by_beat[Beat.BORDER])

    # Connections

    @staticmethod
    def owns(path: str) -> bool:
        """Say whether a WebSocket path is one of the market streams."""
        return path in {"/ws", "/stream"} or path.startswith(("/ws/", "/stream/"))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one WebSocket connection."""
        if scope["type"] != "websocket":
            raise ValueError(f"market streams are WebSockets, the scope was {scope['type']}")
        await receive()
        wall_ms = self._market.clock.wall_ms()
        if self._connects.roll(wall_ms) >= MOST_CONNECTS:
            await send({"type": "websocket.close"})  # before the hand-shake: HTTP 403
            return
        self._connects.count += 1
        await send({"type": "websocket.accept"})
        client = StreamClient(
            combined=scope["path"].startswith("/stream"),
            opened_wall_ms=wall_ms,
            in_microseconds=asks_microseconds(scope),
        )
        self._clients.add(client)
        self.subscribe(client, asked_streams(scope))
        writer = asyncio.create_task(write_out(client, send))
        try:
            await self._read(client, receive, writer)
        finally:
            self._forget(client)
            writer.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await writer

    async def _read(
        self, client: StreamClient, receive: Receive, writer: asyncio.Task[Any]
    ) -> None:
        """Answer commands until either side ends the connection."""
        while True:
            incoming = asyncio.ensure_future(receive())
            await asyncio.wait({incoming, writer}, return_when=asyncio.FIRST_COMPLETED)
            if not incoming.done():
                incoming.cancel()
                return
            message = incoming.result()
            if message["type"] == "websocket.disconnect":
                return
            if not client.may_command(self._market.clock.wall_ms()):
                client.close(TOO_MANY_COMMANDS)
                continue
            text = message.get("text")
            if text is None:
                text = (message.get("bytes") or b"").decode("utf-8", errors="replace")
            client.push(client.answer(text, self))

    def _forget(self, client: StreamClient) -> None:
        self.unsubscribe(client, list(client.names))
        self._clients.discard(client)

    def subscribe(self, client: StreamClient, names: list[str]) -> None:
        """Add streams to a client; a name nobody publishes is remembered and stays silent."""
        for name in names:
            client.names[name] = None
            if name not in self._topics:
                topic = make_topic(name, self._market)
                if topic is None:
                    continue
                self._add_topic(topic)
            self._listeners.setdefault(name, set()).add(client)

    def _add_topic(self, topic: Topic) -> None:
        self._topics[topic.name] = topic
        self._by_beat[topic.beat][topic.name] = topic
        if isinstance(topic, PrintTopic):
            self._prints.setdefault(topic.symbol, []).append(topic)

    def unsubscribe(self, client: StreamClient, names: list[str]) -> None:
        """Take streams from a client; a topic without listeners is dropped."""
        for name in names:
            client.names.pop(name, None)
            listeners = self._listeners.get(name)
            if listeners is None:
                continue
            listeners.discard(client)
            if not listeners:
                del self._listeners[name]
                topic = self._topics.pop(name)
                del self._by_beat[topic.beat][name]
                if isinstance(topic, PrintTopic):
                    self._prints[topic.symbol].remove(topic)

    # Faults and figures

    def cut(self, code: int = GOING_AWAY) -> int:
        """Close every connection with `code` and return how many there were."""
        for client in self._clients:
            client.close(code)
        return len(self._clients)

    def mute(self, ms: float, part: str = "") -> None:
        """Publish nothing for so much wall time; pings go on.

        Args:
            ms: wall milliseconds from now; 0 ends a silence.
            part: only streams whose name contains it; all when empty.
        """
        self._muted_until_ms = self._market.clock.wall_ms() + ms
        self._muted_part = part

    def shut_down(self) -> int:
        """Tell every client that the server goes away, close, and return how many there were."""
        event = {"e": "serverShutdown", "E": self._market.clock.now_ms()}
        for client in self._clients:
            client.push(text_of(wrapped("!serverShutdown", event) if client.combined else event))
        return self.cut()

    def count(self) -> dict[str, int]:
        """Return how many connections and streams are open."""
        return {"connections": len(self._clients), "streams": len(self._topics)}

    # Publishing

    async def run(self) -> None:
        """Publish what goes by wall time until cancelled."""
        beat = 0
        while True:
            await asyncio.sleep(BEAT_MS / 1000)
            beat += 1
            try:
                self.on_beat(beat)
            except Exception:
                logger.exception("streams.beat_failed beat=%s", beat)
                raise

    def on_beat(self, beat: int) -> None:
        """Publish what is due at the given tenth of a second of wall time."""
        self._publish_all(Beat.TOUCH)
        self._publish_all(Beat.FAST)
        self._publish_seconds()
        if beat % BEATS_PER_SECOND == 0:
            self._publish_all(Beat.SECOND)
            self._end_old_connections()
        if beat % BEATS_PER_CANDLE_UPDATE == 0:
            self._publish_all(Beat.CANDLE)

    def _end_old_connections(self) -> None:
        oldest_ms = self._market.clock.wall_ms() - LIFE_MS
        for client in self._clients:
            if client.opened_wall_ms < oldest_ms:
                client.close(GOING_AWAY)

    def _publish_all(self, beat: Beat) -> None:
        topics = self._by_beat[beat]
        if not topics:
            return
        now_ms = self._market.clock.now_ms()
        for topic in topics.values():
            news = topic.news(now_ms)
            if news is not None:
                self._publish(topic.name, news)

    def _publish_seconds(self) -> None:
        topics = self._by_beat[Beat.BORDER]
        if not topics:
            return
        self._market.catch_up()
        now_ms = self._market.clock.now_ms()
        for topic in topics.values():
            if isinstance(topic, SecondTopic):
                for final in topic.finals(now_ms):
                    self._publish(topic.name, final)

    def _publish_touch(self) -> None:
        self._touch_due = False
        self._publish_all(Beat.TOUCH)

    def _on_print(self, symbol: str, entry: Print) -> None:
        topics = self._prints.get(symbol)
        if topics:
            now_ms = self._market.clock.now_ms()
            for topic in topics:
                self._publish(topic.name, topic.of_print(entry, now_ms))
        if self._by_beat[Beat.TOUCH] and not self._touch_due:
            self._touch_due = True
            asyncio.get_running_loop().call_soon(self._publish_touch)

    def _on_close(self, border_ms: int, symbols: tuple[str, ...]) -> None:
        """Publish the finals of all candles that end here, whether or not a symbol traded last."""
        del symbols
        now_ms = max(border_ms, self._market.clock.now_ms())
        for topic in self._by_beat[Beat.CANDLE].values():
            if isinstance(topic, KlineTopic):
                final = topic.final(border_ms, now_ms)
                if final is not None:
                    self._publish(topic.name, final)

    def _publish(self, name: str, payload: Payload) -> None:
        if self._is_muted(name):
            return
        for one in self._bent(name, payload) if self._faults.rules else (payload,):
            self._push(name, one)

    def _bent(self, name: str, payload: Payload) -> list[Payload]:
        """Return what faults leave of a payload."""
        about = payload if isinstance(payload, dict) else {}
        seen = {"stream": name, "event": about.get("e", ""), "symbol": about.get("s", "")}
        return self._bender.bend(name, payload, seen)

    def _push(self, name: str, payload: Payload) -> None:
        texts: dict[tuple[bool, bool], str] = {}
        for client in self._listeners.get(name, ()):
            form = client.combined, client.in_microseconds
            if form not in texts:
                shown = micro_payload(payload) if client.in_microseconds else payload
                texts[form] = text_of(wrapped(name, shown) if client.combined else shown)
            client.push(texts[form])

    def _is_muted(self, name: str) -> bool:
        if not self._muted_until_ms:
            return False
        if self._market.clock.wall_ms() >= self._muted_until_ms:
            self._muted_until_ms = 0.0
            return False
        return self._muted_part in name
