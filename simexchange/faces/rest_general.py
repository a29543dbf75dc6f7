"""What needs no key: ping, time, exchangeInfo."""

import json
import re
from collections.abc import Mapping
from typing import Any

from simexchange.engine.exchange import Exchange
from simexchange.engine.symbols import STATUSES, SymbolRules, exchange_info
from simexchange.errors import ApiError
from simexchange.faces.limits import Limits
from simexchange.faces.order_params import symbols_of
from simexchange.faces.params import illegal
from simexchange.faces.routing import Call, Route, Routes

INFO_NAMES = frozenset({"symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"})
PERMISSION = re.compile(r"^[A-Z0-9_]{1,32}$")


def read_permissions(params: Mapping[str, str]) -> set[str]:
    """Return the permissions asked for by one name or a JSON list, empty when none is.

    Raises:
        ApiError: -1100 when it is neither.
    """
    text = params.get("permissions")
    if text is None:
        return set()
    try:
        listed = json.loads(text) if text.startswith("[") else [text]
    except ValueError as error:
        raise illegal("permissions", "JSON array of permissions") from error
    names = {name for name in listed if isinstance(name, str) and PERMISSION.match(name)}
    if not listed or len(names) < len(listed):
        raise illegal("permissions", PERMISSION.pattern)
    return names


def permissions_of(symbol: Mapping[str, Any]) -> set[str]:
    """Return every permission that lets an account trade a symbol."""
    return {name for group in symbol["permissionSets"] for name in group}


def choose_rules(params: Mapping[str, str], known: Mapping[str, SymbolRules]) -> list[SymbolRules]:
    """Return the symbols that a request for exchangeInfo means.

    Raises:
        ApiError: on unknown ones, or on ways of choosing that do not go together.
    """
    names, status = symbols_of(params, known), params.get("symbolStatus")
    wanted = read_permissions(params)
    for name, held in (("symbolStatus", status), ("permissions", wanted)):
        if held and names is not None:
            raise ApiError(
                -1128,
                "Combination of optional parameters invalid. Recommendation: "
                f"'{name}' cannot be sent with 'symbol' or 'symbols'.",
            )
    if status and status not in STATUSES:
        raise ApiError(-1122, "Invalid symbolStatus.")
    chosen = [known[name] for name in (names or known)]
    return [
        one
        for one in chosen
        if (not status or one.status == status)
        and (not wanted or wanted & permissions_of(one.describe()))
    ]


def routes(exchange: Exchange, limits: Limits) -> Routes:
    """Return the general routes."""

    def ping(_call: Call) -> dict[str, Any]:
        return {}

    def time(call: Call) -> dict[str, Any]:
        return {"serverTime": call.now_ms}

    def info(call: Call) -> dict[str, Any]:
        told = exchange_info(
            choose_rules(call.params, exchange.rules),
            call.now_ms,
            rate_limits=limits.describe(),
            exchange_filters=exchange.exchange_rules.filters,
        )
        if call.params.get("showPermissionSets", "true") == "false":
            for one in told["symbols"]:
                one["permissionSets"] = []
        return told

    return {
        ("GET", "/api/v3/ping"): Route(ping, names=frozenset()),
        ("GET", "/api/v3/time"): Route(time, names=frozenset()),
        ("GET", "/api/v3/exchangeInfo"): Route(info, weight=20, names=INFO_NAMES),
    }
