"""What a face offers: a table of routes, each a plain function from a call to a reply."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Call:
    """One request after decoding; the same for REST and the WebSocket API.

    `params` holds every parameter as text, query before body. A list sent over the WebSocket API
    arrives as its JSON text, the form REST uses. `account` is set when the route is signed.
    `headers` are extra reply headers a handler wants to send.
    """

    method: str
    path: str
    params: Mapping[str, str]
    now_ms: int
    account: str = ""
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Any]
"""Returns JSON-able values (str, int, float, bool, None, list, dict); raises ApiError to refuse."""

Weight = int | Callable[[Call], int]


@dataclass(frozen=True, slots=True)
class Route:
    """How one (method, path) is answered.

    Args:
        handler: called on the event loop; must not block.
        weight: request weight, fixed or worked out of the call.
        signed: needs API key, timestamp and signature.
        trades: needs a key that may trade.
        free_on_success: successful placements and cancels weigh nothing.
        orders: how many orders a placement counts, also when it comes to the engine too late.
        names: every parameter it reads beside the signature's; None takes any.
    """

    handler: Handler
    weight: Weight = 1
    signed: bool = False
    trades: bool = False
    free_on_success: bool = False
    orders: int = 0
    names: frozenset[str] | None = None


Routes = dict[tuple[str, str], Route]
"""Keyed by method and full path: ``("GET", "/api/v3/klines")``."""
