"""Live messages to every connected page, with a running number and a memory.

Numbering and remembering are one atomic step in Redis, so the stream there is complete and in
order whatever number of processes send; the group message that follows is only the fast path. A
consumer that sees a number it did not expect reads what is between from the stream.
"""

import asyncio
from typing import Any

import orjson
import redis.asyncio
from channels.layers import get_channel_layer
from django.conf import settings

from core import redis_client
from core.background import BackgroundQueue

LIVE_GROUP = "live"
HISTORY_LENGTH = 2000
_SEQ, _STREAM = "live:seq", "live:stream"
_TIMEOUT_S = 2.0
# A lost counter starts again at the time in ms: still above every number given out before.
_LATEST = """
local seq = redis.call('GET', KEYS[1])
if not seq then
  local t = redis.call('TIME')
  redis.call('SET', KEYS[1], t[1] * 1000 + math.floor(t[2] / 1000))
  seq = redis.call('GET', KEYS[1])
end
"""
_APPEND = f"""{_LATEST}
local last = redis.call('INCRBY', KEYS[1], #ARGV - 1)
local first = last - (#ARGV - 1) + 1
for i = 2, #ARGV do
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], (first + i - 2) .. '-1', 'm', ARGV[i])
end
return first
"""


def send(messages: list[bytes]) -> None:
    """Queue JSON objects for every page; they get consecutive ``seq``. Never raises or waits."""
    if messages:
        _queue.put(messages)


def flush(timeout_s: float = 2.0) -> bool:
    """Wait until what was queued is sent (tests, the end of a command)."""
    return _queue.flush(timeout_s)


async def latest_seq() -> int:
    """Return the number given last; before the first, the one that the first will follow."""
    async with _client() as client:
        return int(await client.eval(f"{_LATEST} return seq", 1, redis_client.key(_SEQ)))


async def read_since(seq: int) -> list[dict[str, Any]] | None:
    """Return the messages after `seq` in order; None when they are no longer all there.

    None asks the caller for a new snapshot.
    """
    async with _client() as client:
        stream = redis_client.key(_STREAM)
        entries: Any = await client.xrange(stream, min=f"({seq}-1")
        if not entries:
            return [] if seq == await latest_seq() else None
    messages = [_numbered(_seq_of(entry_id), fields[b"m"]) for entry_id, fields in entries]
    return messages if messages[0]["seq"] == seq + 1 else None


def _numbered(seq: int, text: bytes) -> dict[str, Any]:
    return {**orjson.loads(text), "seq": seq}


def _seq_of(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])


def _client() -> redis.asyncio.Redis:
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1.0, socket_timeout=_TIMEOUT_S
    )


class _Sender:
    """Lives on the queue's thread: one event loop, one connection, for as long as the process."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._redis: redis.asyncio.Redis | None = None

    def __call__(self, messages: list[bytes]) -> None:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(asyncio.wait_for(self._send(messages), _TIMEOUT_S))

    async def _send(self, messages: list[bytes]) -> None:
        if self._redis is None:
            self._redis = _client()
        keys = [redis_client.key(_SEQ), redis_client.key(_STREAM)]
        first = int(await self._redis.eval(_APPEND, 2, *keys, HISTORY_LENGTH, *messages))
        numbered = [_numbered(first + index, text) for index, text in enumerate(messages)]
        layer = get_channel_layer()
        if layer is not None:
            await layer.group_send(LIVE_GROUP, {"type": "live.messages", "messages": numbered})

    def forget_parent(self) -> None:
        """A forked child makes its own loop and connection."""
        self._loop = None
        self._redis = None


_sender = _Sender()
_queue: BackgroundQueue[list[bytes]] = BackgroundQueue("live", _sender)
