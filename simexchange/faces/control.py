"""The hand behind the exchange: `/_sim/` shows its truth and makes it misbehave."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import orjson

from simexchange.engine.decimals import read_decimal
from simexchange.engine.ledger import REQUESTS_KEPT
from simexchange.engine.symbols import SymbolRules
from simexchange.faces.control_accounts import change_account
from simexchange.faces.control_fields import LONGEST_MS, object_of, shown, text, whole
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
            return 200, row(data if name == "faults" else object_of(data))
        except KeyError as error:
            return 400, {"error": f"missing or unknown: {error.args[0]}"}
        except ValueError as error:
            return 400, {"error": str(error)}

    def fire(self, fault: Fault) -> None:
        """Carry an instant fault out."""
        self._instant[fault.name](fault)

    def _ledger(self, data: dict[str, str]) -> dict[str, Any]:
        """Return the whole truth; ``?requests=N`` cuts the request log to its newest N."""
        told = self.exchange.ledger.describe()
        if "requests" in data:
            newest = whole(data, "requests", least=0, most=REQUESTS_KEPT)
            told["requests"] = told["requests"][-newest:] if newest else []
        return told

    def _add_faults(self, data: Any) -> list[dict[str, Any]]:
        rules = [read_fault(one) for one in (data if isinstance(data, list) else [data])]
        for rule in rules:
            for one in (rule, *rule.companions):
                self._check_filters(one)
        for rule in rules:
            if rule.name in AT_ONCE_WITHOUT_MATCH and not rule.match:
                self.fire(rule)
                rule.fired += 1
                rule.times = rule.times or 1
        self.faults.add(rules)
        return self.faults.describe()

    def _check_filters(self, fault: Fault) -> None:
        """Refuse filters that cannot be set now rather than when the fault fires."""
        if fault.name == "filters":
            deepcopy(self._rules_of(fault.options["symbol"])).change(fault.options)

    def _rules_of(self, symbol: str) -> SymbolRules:
        rules = self.exchange.rules
        if symbol not in rules:
            raise ValueError(f"symbol is one of {', '.join(rules)}, was {shown(symbol)}")
        return rules[symbol]

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

    def _price(self, data: Mapping[str, Any]) -> dict[str, str]:
        symbol, market = self._rules_of(text(data, "symbol")).symbol, self.exchange.market
        path = data["path"] if "path" in data else [[0, data["price"]]]
        if not isinstance(path, list):
            raise ValueError(f"path takes [[ms_from_now, price], ...], was {shown(path)}")
        market.set_path(symbol, [_point(one) for one in path])
        self.exchange.keep_market()
        return {"symbol": symbol, "price": str(market.last_price(symbol))}

    def _symbol(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if "symbol" not in data and {"exchangeFilters", "assetFilters"} & data.keys():
            return self.exchange.change_rules(data)
        symbol = self._rules_of(text(data, "symbol")).symbol
        return self.exchange.change_symbol(symbol, data).describe()

    def _clock(self, _data: Any) -> dict[str, Any]:
        clock = self.exchange.clock
        return {
            "now_ms": clock.now_ms(),
            "speed": "manual" if clock.manual else clock.speed,
            "origin_wall_ms": clock.origin_wall_ms,
            "origin_sim_ms": clock.origin_sim_ms,
            "wall_ms": clock.wall_ms(),
        }

    def _advance(self, data: Mapping[str, Any]) -> dict[str, int]:
        ms = whole(data, "ms", least=0, most=LONGEST_MS)
        now_ms = self.exchange.clock.advance(ms)
        self.exchange.market.catch_up()
        return {"now_ms": now_ms}

    def _account(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return change_account(self.exchange, data)


def _point(held: Any) -> tuple[int, Decimal]:
    """Return a path's (milliseconds from now, price)."""
    if not isinstance(held, list) or len(held) != 2:
        raise ValueError(f"a path's point is [ms_from_now, price], was {shown(held)}")
    at_ms = whole({"ms_from_now": held[0]}, "ms_from_now", least=0, most=LONGEST_MS)
    return at_ms, read_decimal("price", held[1])
