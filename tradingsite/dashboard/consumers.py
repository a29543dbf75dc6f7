"""The live connection at ``/ws``: a snapshot on connect, then numbered messages without a gap."""

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from alerts.push import LIVE_GROUP, VERSION, latest_seq, read_since
from core.clock import get_clock
from core.errors import InvalidInput
from core.rest.encoding import dumps
from core.rest.errors import error_body
from tradingsite.dashboard.authentication import is_still_allowed
from tradingsite.dashboard.interest import Interest, read_interest
from tradingsite.dashboard.snapshot import build_snapshot

_MAX_MESSAGE_BYTES = 64 * 1024
# Nobody who means well says more than this in ten seconds.
_MAX_MESSAGES, _WINDOW_S = 100, 10.0
# A token that was revoked, a session that was ended: let go within this time.
_PERMISSION_CHECK_S = 2.0
_BAD_MESSAGE, _UNAUTHENTICATED, _FORBIDDEN, _TOO_MANY = 4400, 4401, 4403, 4429


class LiveConsumer(AsyncWebsocketConsumer):
    """One page or script.

    It may send ``{"action": "subscribe", "channels": […], "symbols": […]}`` (a missing list means
    all), ``{"action": "resume", "seq": n}``, ``{"action": "snapshot"}`` and ``{"action": "ping"}``.
    Every message to it has ``type``, ``version``, ``at`` and ``seq``: live messages their own
    number, answers the number of the last live message before them.
    """

    groups: list[str] = []

    async def connect(self) -> None:
        self.interest = Interest()
        self.seq = 0
        self.checked_at = time.monotonic()
        self.said_at: deque[float] = deque(maxlen=_MAX_MESSAGES)
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
        if not await self._is_still_allowed():
            return
        try:
            self._count_message()
            message = _read(text_data)
            await _ACTIONS[message["action"]](self, message)
        except InvalidInput as error:
            await self._answer("error", **error_body(error))
            is_flood = isinstance(error, TooManyMessages)
            await self.close(_TOO_MANY if is_flood else _BAD_MESSAGE)

    async def live_messages(self, event: dict[str, Any]) -> None:
        """Pass a group message on to the client, as far as it wants it.

        Group messages may be lost or overtake one another; the stream has them all, in order.
        """
        if not await self._is_still_allowed():
            return
        messages = event["messages"]
        if messages[0]["seq"] > self.seq + 1:
            await self._catch_up(self.seq)
            return
        for message in messages:
            await self._pass_on(message)

    async def _pass_on(self, message: dict[str, Any]) -> None:
        if message["seq"] <= self.seq:
            return
        self.seq = message["seq"]
        if self.interest.wants(message):
            await self.send(_to_text(message))

    async def _catch_up(self, seq: int) -> None:
        """Send what came after `seq`; a new snapshot when that is not all there any more."""
        missed = await read_since(seq)
        if missed is None:
            await self._send_snapshot()
            return
        for message in missed:
            await self._pass_on(message)

    async def _subscribe(self, message: dict[str, Any]) -> None:
        self.interest = read_interest(message)
        await self._answer("subscribed")

    async def _resume(self, message: dict[str, Any]) -> None:
        seq = message.get("seq")
        if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**63:
            raise InvalidInput(
                "seq must be a whole number, as the last message had it.", field="seq"
            )
        self.seq = seq
        await self._catch_up(seq)
        await self._answer("resumed")

    async def _send_snapshot(self, _message: dict[str, Any] | None = None) -> None:
        self.seq = await latest_seq()
        data = await database_sync_to_async(build_snapshot)(now=get_clock().now())
        await self._answer("snapshot", data=self.interest.of_snapshot(data))

    async def _ping(self, _message: dict[str, Any]) -> None:
        await self._answer("pong")

    async def _answer(self, kind: str, **more: Any) -> None:
        at = get_clock().now()
        await self.send(
            _to_text({"type": kind, "version": VERSION, "at": at, "seq": self.seq, **more})
        )

    def _count_message(self) -> None:
        now = time.monotonic()
        if len(self.said_at) == _MAX_MESSAGES and now - self.said_at[0] < _WINDOW_S:
            raise TooManyMessages(
                f"At most {_MAX_MESSAGES} messages in {_WINDOW_S:.0f} s; connect again.",
                limit=_MAX_MESSAGES,
            )
        self.said_at.append(now)

    async def _is_still_allowed(self) -> bool:
        """Close the connection of somebody who may not have it any more."""
        if time.monotonic() - self.checked_at < _PERMISSION_CHECK_S:
            return True
        self.checked_at = time.monotonic()
        if await is_still_allowed(self.scope):
            return True
        await self.close(_FORBIDDEN)
        return False


class TooManyMessages(InvalidInput):
    """The client floods."""

    code = "TOO_MANY_MESSAGES"


_ACTIONS: dict[str, Callable[[LiveConsumer, dict[str, Any]], Awaitable[None]]] = {
    "subscribe": LiveConsumer._subscribe,
    "resume": LiveConsumer._resume,
    "snapshot": LiveConsumer._send_snapshot,
    "ping": LiveConsumer._ping,
}


def _read(text: str | None) -> dict[str, Any]:
    """Return a client's message with its known action.

    Raises:
        InvalidInput: It is none.
    """
    if text is None or len(text) > _MAX_MESSAGE_BYTES:
        raise InvalidInput("Send a JSON object as text, at most 64 KiB.")
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"The message is not JSON: {error.msg}.") from None
    action = message.get("action") if isinstance(message, dict) else None
    if not isinstance(action, str) or action not in _ACTIONS:
        raise InvalidInput(f"action must be one of {', '.join(_ACTIONS)}.", field="action")
    return dict(message)


def _to_text(payload: dict[str, Any]) -> str:
    """Return the payload as JSON text; decimals are strings, times ISO 8601."""
    return dumps(payload).decode()
