"""Our ASGI application, and a bare Channels consumer in the same process at ``/bare``."""

from typing import Any

from tradingsite.asgi import application as ours  # isort: skip - sets Django up

from bench.web.peers import BareConsumer

_bare = BareConsumer.as_asgi()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Hand ``/bare`` to the peer and everything else to us."""
    is_bare = scope["type"] == "websocket" and scope["path"] == "/bare"
    await (_bare if is_bare else ours)(scope, receive, send)
