"""The account's own events, one connection at a time.

python-binance reconnects its user socket without subscribing again and then stays silent for
ever. So a connection here lives until the first sign of trouble; whoever reads it makes a new one
and asks by REST for what happened in between.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from binance.async_client import AsyncClient
from binance.ws.streams import BinanceSocketManager

from core.clock import Clock
from core.keys.base import Credentials
from markets.adapters.binance_client import Addresses
from markets.adapters.binance_errors import StreamLost, classify

QUEUE_SIZE = 10_000
_ENDINGS = frozenset({"error", "eventStreamTerminated", "serverShutdown"})
_CLOSE_S = 2.0


class _StreamClient(AsyncClient):
    """Signs by our clock, at our addresses."""

    def __init__(self, *, addresses: Addresses, clock: Clock, credentials: Credentials) -> None:
        self._clock = clock
        self.API_URL = addresses.rest
        self.WS_API_URL = addresses.ws_api
        super().__init__(credentials.api_key, credentials.api_secret)

    @property
    def timestamp_offset(self) -> float:
        return self._clock.now_ms() - time.time() * 1000

    @timestamp_offset.setter
    def timestamp_offset(self, _offset_ms: float) -> None:
        """Ignore what the base class measures: the clock is shared with the exchange."""


async def read_user_events(
    *, addresses: Addresses, clock: Clock, credentials: Credentials, silence_s: float
) -> AsyncIterator[dict[str, Any]]:
    """Yield ``{"e": "connected"}`` once subscribed, then the events of one connection.

    Raises:
        StreamLost: The connection ended, said that it will, or after `silence_s` wall seconds
            without an event the exchange does not confirm the subscription within as long. Nothing
            is known of what happened since the last event.
    """
    client = _StreamClient(addresses=addresses, clock=clock, credentials=credentials)
    manager = BinanceSocketManager(client, max_queue_size=QUEUE_SIZE)
    socket = manager.user_socket()
    try:
        await _connect(socket)
        yield {"e": "connected"}
        while True:
            try:
                event = await asyncio.wait_for(socket.recv(), timeout=silence_s)
            except TimeoutError:
                await _require_subscription(client, limit_s=silence_s)
                continue
            if event.get("e") in _ENDINGS:
                raise StreamLost(
                    f"WebSocket disconnected: {event.get('e')} {event.get('type', '')}"
                )
            yield event
    except StreamLost:
        raise
    except Exception as error:
        raise classify(error) from error
    finally:
        # Politely closing takes python-binance up to ten seconds; the exchange does not mind.
        with contextlib.suppress(Exception):
            await asyncio.wait_for(client.close_connection(), timeout=_CLOSE_S)


async def _require_subscription(client: AsyncClient, *, limit_s: float) -> None:
    """Ask on the same connection whether it still carries our events: silence alone is normal.

    Raises:
        StreamLost: It does not, or nobody answers.
    """
    try:
        subscriptions = await asyncio.wait_for(
            client._ws_api_request("session.subscriptions", False, {}),  # noqa: FBT003 - it has no public name for it
            timeout=limit_s,
        )
    except TimeoutError:
        subscriptions = None
    if not subscriptions:
        raise StreamLost("WebSocket disconnected: the user stream is silent")


async def _connect(socket: Any) -> None:
    await socket.connect()
