"""The wire side of a stream connection: what its address asks, how payloads are written."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, unquote

import orjson

from simexchange.faces.stream_client import StreamClient
from simexchange.faces.topic import Payload

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def asked_streams(scope: MutableMapping[str, Any]) -> list[str]:
    """Return the stream names of a connection's address."""
    path = unquote(scope["path"])
    if path.startswith("/ws/"):
        return [name for name in path[4:].split("/") if name]
    # The plus of a time zone (@kline_1d@+08:00) is meant as it stands, not as a form's blank.
    text = scope.get("query_string", b"").decode("latin-1").replace("+", "%2B")
    query = parse_qs(text)
    return [name for part in query.get("streams", []) for name in part.split("/") if name]


def asks_microseconds(scope: MutableMapping[str, Any]) -> bool:
    """Say whether an address asks for times in microseconds."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return str(query.get("timeUnit", [""])[0]).upper() == "MICROSECOND"


def wrapped(name: str, payload: Payload) -> dict[str, Any]:
    return {"stream": name, "data": payload}


def text_of(payload: Payload) -> str:
    return orjson.dumps(payload).decode()


async def write_out(client: StreamClient, send: Send) -> None:
    """Send what waits until the client is to be closed."""
    while True:
        for text in await client.next_messages():
            await send({"type": "websocket.send", "text": text})
        if client.close_code is not None:
            await send({"type": "websocket.close", "code": client.close_code})
            return
