"""python-binance's market sockets, opened together and closed within bounds."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from binance.async_client import AsyncClient
from binance.ws.streams import BinanceSocketManager

from markets.adapters.binance_client import Addresses, is_loopback

logger = logging.getLogger(__name__)

Message = dict[str, Any]

STREAMS_PER_SOCKET = 100  # keeps the address under 4 kB; the exchange allows 1024
# The default of 100 messages ends the socket when the reader pauses for a second.
QUEUE_SIZE = 100_000
# python-binance looks at its closing flag only this often.
_POLL_S = 1.0
_OPEN_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 3.0


class Socket(Protocol):
    """One open socket."""

    async def recv(self) -> Message:
        """Return the next message."""


Connect = Callable[[Sequence[str]], AbstractAsyncContextManager[Sequence[Socket]]]


def market_sockets(addresses: Addresses) -> Connect:
    """Return a function that opens combined streams at `addresses`."""

    @asynccontextmanager
    async def connect(streams: Sequence[str]) -> AsyncIterator[Sequence[Socket]]:
        client = AsyncClient()
        try:
            manager = BinanceSocketManager(client, max_queue_size=QUEUE_SIZE)
            manager.STREAM_URL = addresses.stream
            if is_loopback(addresses.stream):
                manager.ws_kwargs = {"proxy": None}
            async with AsyncExitStack() as stack:
                sockets = []
                for start in range(0, len(streams), STREAMS_PER_SOCKET):
                    chunk = list(streams[start : start + STREAMS_PER_SOCKET])
                    socket = manager.multiplex_socket(chunk)
                    socket.TIMEOUT = _POLL_S
                    # Its own reconnecting would go on behind our back while we close it.
                    socket.MAX_RECONNECTS = 0
                    stack.push_async_callback(_close, socket)
                    await asyncio.wait_for(socket.connect(), _OPEN_TIMEOUT_S)
                    sockets.append(socket)
                yield sockets
        finally:
            await client.close_connection()

    return connect


async def _close(socket: Any) -> None:
    """Close a socket that may be dead; what does not close in time is dropped."""
    try:
        await asyncio.wait_for(socket.close(), _CLOSE_TIMEOUT_S)
    except Exception as error:
        logger.debug("stream.close_failed error=%r", error)
        if socket.ws is not None and socket.ws.transport is not None:
            socket.ws.transport.abort()
