"""What needs no key: ping, time, exchangeInfo."""

from typing import Any

from simexchange.engine.exchange import Exchange
from simexchange.engine.symbols import STATUSES, exchange_info
from simexchange.errors import ApiError
from simexchange.faces.limits import Limits
from simexchange.faces.order_params import symbols_of
from simexchange.faces.routing import Call, Route, Routes


def routes(exchange: Exchange, limits: Limits) -> Routes:
    """Return the general routes."""

    def ping(_call: Call) -> dict[str, Any]:
        return {}

    def time(call: Call) -> dict[str, Any]:
        return {"serverTime": call.now_ms}

    def info(call: Call) -> dict[str, Any]:
        names = symbols_of(call.params, exchange.rules)
        status = call.params.get("symbolStatus")
        if status and names is not None:
            raise ApiError(
                -1128,
                "Combination of optional parameters invalid. Recommendation: "
                "'symbolStatus' cannot be sent with 'symbol' or 'symbols'.",
            )
        if status and status not in STATUSES:
            raise ApiError(-1122, "Invalid symbolStatus.")
        chosen = [exchange.rules[name] for name in (names or exchange.rules)]
        if status:
            chosen = [one for one in chosen if one.status == status]
        return exchange_info(
            chosen,
            call.now_ms,
            rate_limits=limits.describe(),
            exchange_filters=exchange.exchange_rules.filters,
        )

    return {
        ("GET", "/api/v3/ping"): Route(ping),
        ("GET", "/api/v3/time"): Route(time),
        ("GET", "/api/v3/exchangeInfo"): Route(info, weight=20),
    }
