"""One connection to the market streams: its subscriptions, its queue, its commands."""

import asyncio
import json
from collections import deque
from typing import Any, Protocol

MOST_WAITING = 50_000
"""A client that lets so many messages wait is cut off."""
MOST_STREAMS = 1024
MOST_COMMANDS_PER_S = 5
TOO_SLOW, TOO_MANY_COMMANDS = 1008, 1008
LIST_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE")


class Subscriptions(Protocol):
    """The side of the hub that a client's commands reach."""

    def subscribe(self, client: "StreamClient", names: list[str]) -> None:
        """Add streams to a client."""

    def unsubscribe(self, client: "StreamClient", names: list[str]) -> None:
        """Take streams from a client."""


class StreamClient:
    """Messages wait here until the connection's writer sends them.

    Args:
        combined: wrap payloads with their stream's name.
        opened_wall_ms: when the connection was accepted.
        in_microseconds: whether times of events are told so.
    """

    def __init__(
        self, *, combined: bool, opened_wall_ms: float, in_microseconds: bool = False
    ) -> None:
        self.combined = combined
        self.in_microseconds = in_microseconds
        self.opened_wall_ms = opened_wall_ms
        self.names: dict[str, None] = {}
        self.close_code: int | None = None
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._command_times: deque[float] = deque(maxlen=MOST_COMMANDS_PER_S)

    def push(self, text: str) -> None:
        """Queue a message; a client that does not read is closed."""
        if self.close_code is not None:
            return
        self._waiting.append(text)
        if len(self._waiting) > MOST_WAITING:
            self.close(TOO_SLOW)
        self._wake.set()

    def close(self, code: int) -> None:
        """Ask the writer to close the connection once the queue is sent."""
        if self.close_code is None:
            self.close_code = code
        if code == TOO_SLOW:
            self._waiting.clear()
        self._wake.set()

    async def next_messages(self) -> list[str]:
        """Return all waiting messages; an empty list means close."""
        while not self._waiting and self.close_code is None:
            self._wake.clear()
            await self._wake.wait()
        messages = list(self._waiting)
        self._waiting.clear()
        return messages

    def may_command(self, wall_ms: float) -> bool:
        """Count an incoming message; False when there were too many within a second."""
        times = self._command_times
        too_many = len(times) == MOST_COMMANDS_PER_S and wall_ms - times[0] < 1000.0
        times.append(wall_ms)
        return not too_many

    def answer(self, text: str, hub: Subscriptions) -> str:
        """Carry a command out and return the reply's text."""
        try:
            command = json.loads(text)
        except ValueError:
            return _dumps({"error": {"code": 3, "msg": "Invalid JSON: not a JSON text"}})
        if not isinstance(command, dict):
            return _refusal(None, 2, "Invalid request: an object is expected")
        command_id = command.get("id")
        if not _is_id(command_id):
            return _refusal(None, 2, "Invalid request: request ID must be an integer or a string")
        method, params = command.get("method"), command.get("params")
        if method in LIST_METHODS:
            return self._change(command_id, str(method), params, hub)
        if method == "LIST_SUBSCRIPTIONS":
            return _result(command_id, list(self.names))
        if method in {"GET_PROPERTY", "SET_PROPERTY"}:
            return self._property(command_id, str(method), params)
        return _refusal(command_id, 2, f"Invalid request: unknown method {method!r}")

    def _change(self, command_id: object, method: str, params: object, hub: Subscriptions) -> str:
        if not isinstance(params, list) or not params:
            return _refusal(command_id, 2, "Invalid request: params must be an array of streams")
        if not all(isinstance(name, str) for name in params):
            return _refusal(command_id, 1, "Invalid value type: expected string")
        if method == "UNSUBSCRIBE":
            hub.unsubscribe(self, params)
        elif len(self.names.keys() | set(params)) > MOST_STREAMS:
            return _refusal(command_id, 2, f"Invalid request: more than {MOST_STREAMS} streams")
        else:
            hub.subscribe(self, params)
        return _result(command_id, None)

    def _property(self, command_id: object, method: str, params: object) -> str:
        listed = params if isinstance(params, list) else []
        if not listed or listed[0] != "combined":
            return _refusal(command_id, 0, "Unknown property")
        if method == "GET_PROPERTY":
            return _result(command_id, self.combined)
        if len(listed) != 2 or not isinstance(listed[1], bool):
            return _refusal(command_id, 1, "Invalid value type: expected Boolean")
        self.combined = listed[1]
        return _result(command_id, None)


def _is_id(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= 36
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _dumps(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _result(command_id: object, result: object) -> str:
    return _dumps({"result": result, "id": command_id})


def _refusal(command_id: object, code: int, msg: str) -> str:
    return _dumps({"error": {"code": code, "msg": msg}, "id": command_id})
