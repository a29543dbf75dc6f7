"""The hand behind the exchange: `/_sim/` shows its truth and makes it misbehave."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import orjson

from simexchange.faces.control_accounts import change_account
from simexchange.faces.gateway import Gateway
from simexchange.faults import AT_ONCE_WITHOUT_MATCH, Fault, Faults, read_fault


class Control:
    """Answers the control calls.

    Args:
        gateway: with the engine and the limits behind it.
        faults: the rules in force.
        cut: breaks every stream and WebSocket API connection, returns how many.
        shut_down: the same, telling them of the server's end before.
        mute: keeps every stream silent for so many wall milliseconds.
    """

    def __init__(
        self,
        gateway: Gateway,
        faults: Faults,
        *,
        cut: Callable[[], int],
        shut_down: Callable[[], int],
        mute: Callable[[float], None],
    ) -> None:
        self.gateway = gateway
        self.exchange = gateway.exchange
        self.faults = faults
        self.cut = cut
        self.shut_down = shut_down
        self.mute = mute
        self._rows: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "ledger"): self._ledger,
            ("GET", "faults"): lambda _data: self.faults.describe(),
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("POST", "price"): self._price,
            ("POST", "symbol"): self._symbol,
            ("GET", "clock"): self._clock,
            ("POST", "advance"): self._advance,
            ("GET", "market"): lambda _data: self.exchange.market.describe(),
            ("POST", "account"): self._account,
        }
        self._instant: dict[str, Callable[[Fault], None]] = {
            "cut_streams": self._cut,
            "ban": lambda fault: gateway.limits.ban(float(fault.options["seconds"])),
            "clock_offset": self._offset,
            "filters": self._filters,
            "mute_stream": lambda fault: self.mute(float(fault.options["ms"])),
        }

    async def handle(self, method: str, path: str, query: bytes, body: bytes) -> tuple[int, Any]:
        """Return status and reply of one control call."""
        name = path.removeprefix("/_sim/").rstrip("/")
        row = self._rows.get((method, name))
        if row is None:
            return 404, {"error": f"no control call {method} {path}"}
        try:
            data = dict(parse_qsl(query.decode())) if not body else orjson.loads(body)
            return 200, row(data)
        except KeyError as error:
            return 400, {"error": f"missing or unknown: {error.args[0]}"}
        except (ValueError, InvalidOperation, TypeError) as error:
            return 400, {"error": str(error)}

    def fire(self, fault: Fault) -> None:
        """Carry an instant fault out."""
        self._instant[fault.name](fault)

    def _ledger(self, data: dict[str, str]) -> dict[str, Any]:
        """Return the whole truth; ``?requests=N`` cuts the request log to its newest N."""
        whole = self.exchange.ledger.describe()
        if "requests" in data:
            newest = int(data["requests"])
            whole["requests"] = whole["requests"][-newest:] if newest else []
        return whole

    def _add_faults(self, data: Any) -> list[dict[str, Any]]:
        rules = [read_fault(one) for one in (data if isinstance(data, list) else [data])]
        waiting = []
        for rule in rules:
            if rule.name in AT_ONCE_WITHOUT_MATCH and not rule.match:
                self.fire(rule)
                rule.fired += 1
                rule.times = rule.times or 1
            waiting.append(rule)
        self.faults.add(waiting)
        return self.faults.describe()

    def _clear_faults(self, _data: Any) -> list[dict[str, Any]]:
        self.faults.clear()
        self.gateway.clock_offset_ms = 0.0
        self.gateway.limits.ban(0)
        self.mute(0.0)
        return []

    def _cut(self, fault: Fault) -> None:
        if fault.options.get("announce"):
            self.shut_down()
        else:
            self.cut()

    def _offset(self, fault: Fault) -> None:
        clock = self.exchange.clock
        self.gateway.clock_offset_ms = float(fault.options["ms"]) * clock.speed

    def _filters(self, fault: Fault) -> None:
        self.exchange.change_symbol(fault.options["symbol"], fault.options)

    def _price(self, data: dict[str, Any]) -> dict[str, str]:
        symbol, market = data["symbol"], self.exchange.market
        if "path" in data:
            market.set_path(symbol, [(int(at), Decimal(str(p))) for at, p in data["path"]])
        else:
            market.set_price(symbol, Decimal(str(data["price"])))
        self.exchange.keep_market()
        return {"symbol": symbol, "price": str(market.last_price(symbol))}

    def _symbol(self, data: dict[str, Any]) -> dict[str, Any]:
        if "symbol" not in data and {"exchangeFilters", "assetFilters"} & data.keys():
            return self.exchange.change_rules(data)
        return self.exchange.change_symbol(data["symbol"], data).describe()

    def _clock(self, _data: Any) -> dict[str, Any]:
        clock = self.exchange.clock
        return {
            "now_ms": clock.now_ms(),
            "speed": "manual" if clock.manual else clock.speed,
            "origin_wall_ms": clock.origin_wall_ms,
            "origin_sim_ms": clock.origin_sim_ms,
            "wall_ms": clock.wall_ms(),
        }

    def _advance(self, data: dict[str, Any]) -> dict[str, int]:
        now_ms = self.exchange.clock.advance(int(data["ms"]))
        self.exchange.market.catch_up()
        return {"now_ms": now_ms}

    def _account(self, data: dict[str, Any]) -> dict[str, Any]:
        return change_account(self.exchange, data)
