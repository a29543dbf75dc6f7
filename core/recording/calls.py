"""What people do while a session is recorded: each call of a service is a step of its own."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from core.recording import tape

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
PREFIX = "call "
# Not data: a replay hands in its own.
_TOOLS = frozenset({"broker", "clock", "pause"})


def taped(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Let a call from outside of every step be a step; its arguments are keywords."""

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if tape.active() is None:
            return function(*args, **kwargs)
        name = f"{PREFIX}{function.__module__}.{function.__qualname__}"
        with tape.step(name, encode(kwargs)):
            return function(*args, **kwargs)

    return call


def encode(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return keyword arguments as JSON; tools such as a broker are left out."""
    return {name: _encode(value) for name, value in arguments.items() if name not in _TOOLS}


def _encode(value: Any) -> Any:
    if isinstance(value, Enum):
        return {"@": type(value).__name__, "v": value.value}
    if isinstance(value, datetime):
        return {"@": "datetime", "v": value.isoformat()}
    if isinstance(value, timedelta):
        return {"@": "timedelta", "v": value // timedelta(microseconds=1)}
    if isinstance(value, Decimal):
        return {"@": "Decimal", "v": format(value, "f")}
    if is_dataclass(value):
        inner = {field.name: _encode(getattr(value, field.name)) for field in fields(value)}
        return {"@": type(value).__name__, "v": inner}
    return value


def decode(value: Any, makers: dict[str, Callable[..., Any]]) -> Any:
    """Return what was encoded; `makers` make values of the types that are not JSON's."""
    if not isinstance(value, dict):
        return value
    if "@" not in value:
        return {name: decode(inner, makers) for name, inner in value.items()}
    if isinstance(value["v"], dict):
        return makers[value["@"]](**decode(value["v"], makers))
    return makers[value["@"]](value["v"])
