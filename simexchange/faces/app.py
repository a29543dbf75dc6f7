"""The ASGI program: everything on one port, routed by path."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import orjson

from simexchange.errors import ApiError
from simexchange.faces.control import Control
from simexchange.faces.gateway import Answer, Gateway, Signed, client_order_id_of
from simexchange.faces.misbehave import Misbehaviour
from simexchange.faces.routing import Call, Routes
from simexchange.faces.signing import rest_payload
from simexchange.faces.time_unit import in_microseconds, wants_microseconds
from simexchange.faces.ws_api import SocketApi

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json;charset=UTF-8"
HTML = b"text/html"
RETIRED = ("/api/v3/userDataStream", "/api/v1/")
NOT_FOUND_PAGE = b"<html><head><title>404 Not found</title></head><body>404 Not found</body></html>"
GONE_PAGE = b"<html><head><title>410 Gone</title></head><body>410 Gone</body></html>"


class Streams(Protocol):
    """The market streams' WebSocket entry."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class App:
    """Everything behind the port.

    Args:
        gateway: answers calls.
        routes: REST by method and path.
        control: the `/_sim/` calls.
        socket_api: `/ws-api/v3`.
        streams: every other WebSocket.
        misbehaviour: the faults in force.
    """

    def __init__(
        self,
        *,
        gateway: Gateway,
        routes: Routes,
        control: Control,
        socket_api: SocketApi,
        streams: Streams,
        misbehaviour: Misbehaviour,
    ) -> None:
        self.gateway = gateway
        self.routes = routes
        self.control = control
        self.socket_api = socket_api
        self.streams = streams
        self.misbehaviour = misbehaviour
        self._served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one ASGI connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            if scope["path"].startswith("/ws-api/"):
                await self.socket_api.serve(scope, receive, send)
            else:
                await self.streams(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        method, path = scope["method"], scope["path"]
        if path.startswith("/_sim/"):
            status, reply = await self.control.handle(method, path, scope["query_string"], body)
            await respond(send, status, orjson.dumps(reply), JSON, {})
            return
        route = self.routes.get((method, path))
        if route is None:
            gone = path.startswith(RETIRED)
            page = GONE_PAGE if gone else NOT_FOUND_PAGE
            await respond(send, 410 if gone else 404, page, HTML, {})
            return
        call, signed, broken = self._decode(scope, body)
        client_id = client_order_id_of(call.params)
        handle = self.gateway.handling(route, call, signed, client_id)
        micro = False
        try:
            if broken:
                raise broken
            micro = wants_microseconds(header(scope, b"x-mbx-time-unit"))
        except ApiError as error:
            handle.refuse(error)
        rule = self.misbehaviour.match(call, client_id)
        if rule is not None:
            effect = await self.misbehaviour.apply(rule, call, client_id, handle)
            if effect is None:
                await abort(receive, send)
                return
            await respond(send, effect.status, effect.body, effect.content_type, effect.headers)
            return
        answer = handle()
        headers = self._headers(answer)
        body = answer.body if not micro else in_microseconds(path, answer.body)
        await respond(send, answer.status, orjson.dumps(body), JSON, headers)

    def _decode(self, scope: Scope, body: bytes) -> tuple[Call, Signed, ApiError | None]:
        """Read parameters, key and signature; a duplicate parameter is told of, not raised."""
        query: bytes = scope["query_string"]
        from_query = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        from_body = parse_qsl(body.decode("latin-1"), keep_blank_values=True) if body else []
        params = dict(from_body) | dict(from_query)
        is_double = len(dict(from_query)) < len(from_query) or len(dict(from_body)) < len(from_body)
        broken = (
            ApiError(-1101, "Duplicate values for a parameter detected.") if is_double else None
        )
        signature = params.pop("signature", "")
        key = header(scope, b"x-mbx-apikey")
        call = self.gateway.new_call(scope["method"], scope["path"], params)
        return call, Signed(key, signature, rest_payload(query, body)), broken

    def _headers(self, answer: Answer) -> dict[str, str]:
        self._served += 1
        used = str(self.gateway.limits.used_weight)
        headers = {
            "x-mbx-uuid": f"00000000-0000-4000-8000-{self._served:012x}",
            "x-mbx-used-weight": used,
            "x-mbx-used-weight-1m": used,
            **answer.headers,
        }
        if answer.retry_ms is not None:
            headers["retry-after"] = str(max(1, -int(-answer.retry_ms // 1000)))
        return headers


def header(scope: Scope, wanted: bytes) -> str:
    """Return a request header, empty when not sent."""
    for name, held in scope["headers"]:
        if name == wanted:
            text: str = held.decode("latin-1")
            return text
    return ""


async def read_body(receive: Receive) -> bytes:
    """Return the whole body of the request."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    return body


async def respond(
    send: Send, status: int, body: bytes, content_type: bytes, headers: dict[str, str]
) -> None:
    """Send a whole reply."""
    raw = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    raw.extend((name.encode(), held.encode()) for name, held in headers.items())
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def abort(receive: Receive, send: Send) -> None:
    """Break the connection without a word, as a lost line does."""
    abort_transport(send)
    while (await receive())["type"] != "http.disconnect":
        continue


def abort_transport(send: Send) -> None:
    """Reset the connection behind uvicorn's `send`: ASGI itself knows no way to hang up."""
    transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort()
