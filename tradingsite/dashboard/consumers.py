"""The live connection at ``/ws``: a snapshot on connect, then numbered messages without a gap."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from alerts.push import LIVE_GROUP, VERSION, latest_seq, read_since
from core.clock import get_clock
from core.rest.encoding import dumps
from tradingsite.dashboard.authentication import is_still_active
from tradingsite.dashboard.snapshot import build_snapshot

_MAX_MESSAGE_BYTES = 64 * 1024
_MAX_NAMES = 1000
_MAX_NAME_LENGTH = 32
# A user who was disabled, or who logged out of a role, is let go within this time.
_PERMISSION_CHECK_S = 5.0
_UNAUTHENTICATED, _FORBIDDEN, _BAD_MESSAGE = 4401, 4403, 4400


class LiveConsumer(AsyncWebsocketConsumer):
    """One page or script.

    It may send ``{"action": "subscribe", "channels": […], "symbols": […]}`` (a missing list means
    all), ``{"action": "resume", "seq": n}``, ``{"action": "snapshot"}`` and ``{"action": "ping"}``.
    """

    groups: list[str] = []

    async def connect(self) -> None:
        self.channels: frozenset[str] | None = None
        self.symbols: frozenset[str] | None = None
        self.checked_at = time.monotonic()
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close(_UNAUTHENTICATED)
            return
        # Joined before the snapshot is read: what happens meanwhile is in one or in both, and the
        # numbers tell which.
        await self.channel_layer.group_add(LIVE_GROUP, self.channel_name)
        await self.accept()
        await self._send_snapshot()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(LIVE_GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data is None or len(text_data) > _MAX_MESSAGE_BYTES:
            await self._refuse("Send a JSON object as text, at most 64 KiB.")
            return
        try:
            message = orjson.loads(text_data)
        except orjson.JSONDecodeError:
            message = None
        action = message.get("action") if isinstance(message, dict) else None
        handler = _ACTIONS.get(action) if isinstance(action, str) else None
        if handler is None:
            await self._refuse(f"action must be one of {', '.join(_ACTIONS)}.")
            return
        await handler(self, message)

    async def live_messages(self, event: dict[str, Any]) -> None:
        """Pass a group message on to the client, as far as it wants it."""
        if not await self._is_still_allowed():
            await self.close(_FORBIDDEN)
            return
        for message in event["messages"]:
            await self._pass_on(message)

    async def _pass_on(self, message: dict[str, Any]) -> None:
        if self._wants(message):
            await self.send(_to_text(message))

    def _wants(self, message: dict[str, Any]) -> bool:
        if self.channels is not None and message["type"] not in self.channels:
            return False
        symbol = message.get("symbol")
        return self.symbols is None or symbol is None or symbol in self.symbols

    async def _subscribe(self, message: dict[str, Any]) -> None:
        names = {}
        for field in ("channels", "symbols"):
            value = message.get(field)
            if value is not None and not _is_name_list(value):
                await self._refuse(f"{field} must be a list of at most {_MAX_NAMES} names.")
                return
            names[field] = None if value is None else frozenset(value)
        self.channels, self.symbols = names["channels"], names["symbols"]
        await self.send(_to_text({"type": "subscribed", "version": VERSION}))

    async def _resume(self, message: dict[str, Any]) -> None:
        seq = message.get("seq")
        if not isinstance(seq, int) or isinstance(seq, bool) or seq < 0:
            await self._refuse("seq must be a whole number.")
            return
        missed = await read_since(seq)
        if missed is None:
            await self._send_snapshot()
            return
        for entry in missed:
            await self._pass_on(entry)

    async def _send_snapshot(self, _message: dict[str, Any] | None = None) -> None:
        seq = await latest_seq()
        now = get_clock().now()
        data = await database_sync_to_async(build_snapshot)(now=now)
        await self.send(
            _to_text({"type": "snapshot", "version": VERSION, "at": now, "seq": seq, "data": data})
        )

    async def _ping(self, _message: dict[str, Any]) -> None:
        await self.send(_to_text({"type": "pong", "at": get_clock().now()}))

    async def _refuse(self, text: str) -> None:
        await self.send(
            _to_text({"type": "error", "code": "INVALID_INPUT", "message": text, "context": {}})
        )
        await self.close(_BAD_MESSAGE)

    async def _is_still_allowed(self) -> bool:
        if time.monotonic() - self.checked_at < _PERMISSION_CHECK_S:
            return True
        self.checked_at = time.monotonic()
        return await is_still_active(self.scope["user"].pk)


_ACTIONS: dict[str, Callable[[LiveConsumer, dict[str, Any]], Awaitable[None]]] = {
    "subscribe": LiveConsumer._subscribe,
    "resume": LiveConsumer._resume,
    "snapshot": LiveConsumer._send_snapshot,
    "ping": LiveConsumer._ping,
}


def _to_text(payload: dict[str, Any]) -> str:
    """Return the payload as JSON text; decimals are strings, times ISO 8601."""
    return dumps(payload).decode()


def _is_name_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= _MAX_NAMES
        and all(isinstance(name, str) and len(name) <= _MAX_NAME_LENGTH for name in value)
    )
