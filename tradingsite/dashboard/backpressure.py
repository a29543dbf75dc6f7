"""A page that does not read must cost this process neither memory nor the other pages' time.

Daphne writes to a socket whether its client reads or not. Here the transport tells when its buffer
is full, and a client that then leaves too much waiting is cut. Nothing is lost: it connects anew
and resumes from the last number that it saw.
"""

import logging
from typing import Any

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

logger = logging.getLogger(__name__)

# A whole desk's snapshot fits many times.
MAX_WAITING_BYTES = 16 * 1024 * 1024


class BoundedWebSocketProtocol(WebSocketProtocol):
    """Is the transport's producer, so as to be told when a client falls behind."""

    is_full = False
    waiting_bytes = 0

    def onOpen(self) -> None:  # noqa: N802 - autobahn's name
        # Until the upgrade this place belonged to the HTTP channel.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)  # noqa: FBT003 - Twisted's signature
        super().onOpen()

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note that the client has not read what was written; told again with each write."""
        if not self.is_full:
            self.is_full, self.waiting_bytes = True, 0

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Note that it has caught up."""
        self.is_full = False

    def stopProducing(self) -> None:  # noqa: N802 - Twisted's name
        """Nothing to do: the connection is gone."""

    def serverSend(self, content: Any, binary: bool = False) -> None:  # noqa: FBT001, FBT002, N802
        if self.is_full:
            self.waiting_bytes += len(content)
            if self.waiting_bytes > MAX_WAITING_BYTES:
                logger.warning("live.slow_client_cut client=%s", self.client_addr)
                self.transport.abortConnection()
                return
        super().serverSend(content, binary)


def bound_slow_clients() -> None:
    """Have daphne use the bounded protocol for every WebSocket of this process."""
    WebSocketFactory.protocol = BoundedWebSocketProtocol
