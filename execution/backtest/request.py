"""What a backtest is asked for, from the command line or the API: checked once, stored as JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from core.errors import InvalidInput
from execution.backtest.costs import Costs
from execution.backtest.parts import MODEL, Part, flatten, read_decimal, read_parts, refuse
from markets.domain.timeframe import Timeframe

WALK_FORWARD, LIVE, REGISTRY = "walk-forward", "live", "registry"
SOURCES = (LIVE, WALK_FORWARD, REGISTRY)
MAX_SYMBOLS = 50
_SYMBOL = re.compile(r"[A-Z0-9]{2,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRequest:
    """One backtest.

    Attributes:
        symbols: All on one account, of one quote asset.
        interval: The candles that are decided on.
        start: First close to decide on; None: the first candle there is.
        end: Leave out candles that close later; None: use all.
        detail: Finer candles for what happens inside a candle; None: stop before target.
        strategy: One kind of `PARAMETERS`, or several on one account: ``model+ema_rsi``.
        parameters: Of the strategies, defaults filled in; see ``parts``.
        models: Where strategies with a model get it: trained on the way whenever live training
            would have been (`LIVE`) or by interval only (`WALK_FORWARD`), or the versions of the
            registry, each from when it was made.
        cash: Quote units at the start.
        costs: What the exchange takes.
    """

    symbols: tuple[str, ...]
    interval: Timeframe
    start: datetime | None = None
    end: datetime | None = None
    detail: Timeframe | None = None
    strategy: str = MODEL
    parameters: Mapping[str, float] = field(default_factory=dict)
    models: str = LIVE
    cash: Decimal = Decimal(100_000)
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", _check_symbols(self.symbols))
        object.__setattr__(self, "parameters", flatten(self.parts))
        if self.models not in SOURCES:
            refuse("models", self.models, f"one of {', '.join(SOURCES)}")
        if self.start is not None and self.end is not None and self.start >= self.end:
            refuse("end", self.end.isoformat(), f"after start, {self.start.isoformat()}")
        if self.detail is not None and (
            self.detail.ms >= self.interval.ms or self.interval.ms % self.detail.ms
        ):
            refuse("detail", self.detail.value, f"an interval that divides {self.interval.value}")
        if not 0 < self.cash <= Decimal(10) ** 12:
            refuse("cash", str(self.cash), "above 0, quote units")

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the strategies, the first asked first."""
        return read_parts(self.strategy, self.parameters)

    @property
    def model_parameters(self) -> Mapping[str, float] | None:
        """Return what the models are trained by; None when no strategy has one."""
        return next((part.parameters for part in self.parts if part.kind == MODEL), None)

    def to_json(self) -> dict[str, Any]:
        """Return the stored form; ``parse_request`` reads it."""
        costs = self.costs
        return {
            "symbols": list(self.symbols),
            "interval": self.interval.value,
            "start": None if self.start is None else self.start.isoformat(),
            "end": None if self.end is None else self.end.isoformat(),
            "detail": None if self.detail is None else self.detail.value,
            "strategy": self.strategy,
            "parameters": dict(self.parameters),
            "models": self.models,
            "cash": str(self.cash),
            "fee_bps": str(costs.taker_fee * 10_000),
            "half_spread_bps": str(costs.half_spread_bps),
            "slippage_bps": str(costs.slippage_bps),
            "impact": str(costs.impact),
            "participation": None if costs.participation is None else str(costs.participation),
            "latency_ms": costs.latency_ms,
        }


_KNOWN = frozenset(
    {
        *("symbols", "interval", "start", "end", "detail", "strategy", "parameters", "models"),
        *("cash", "fee_bps", "half_spread_bps", "slippage_bps", "impact", "participation"),
        "latency_ms",
    }
)


def parse_request(data: Mapping[str, Any]) -> BacktestRequest:
    """Return the request that a JSON object asks for.

    Raises:
        InvalidInput: names the field, the value and what it should be.
    """
    unknown = sorted(set(data) - _KNOWN)
    if unknown:
        refuse(unknown[0], data[unknown[0]], f"absent; known are {', '.join(sorted(_KNOWN))}")
    symbols = data.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(item, str) for item in symbols):
        refuse("symbols", symbols, 'a list such as ["BTCUSDT"]')
    parameters = data.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        refuse("parameters", parameters, 'an object such as {"min_confidence": 0.6}')
    detail = data.get("detail")
    return BacktestRequest(
        symbols=tuple(symbols),
        interval=parse_interval("interval", data.get("interval")),
        start=parse_time("start", data.get("start")),
        end=parse_time("end", data.get("end")),
        detail=None if detail is None else parse_interval("detail", detail),
        strategy=_join(data.get("strategy", MODEL)),
        parameters=parameters,
        models=str(data.get("models", LIVE)),
        cash=read_decimal("cash", data.get("cash", "100000")),
        costs=parse_costs(data),
    )


def _join(strategy: Any) -> str:
    """Return one text of one strategy or a list of them."""
    words = strategy if isinstance(strategy, list) else [strategy]
    return "+".join(str(word) for word in words)


def parse_costs(data: Mapping[str, Any]) -> Costs:
    """Return the costs named in `data`, defaults where nothing is said.

    Raises:
        InvalidInput: A value is out of bounds.
    """
    fee = read_decimal("fee_bps", data.get("fee_bps", "10")) / 10_000
    share = data.get("participation", "0.1")
    latency = read_decimal("latency_ms", data.get("latency_ms", 250))
    try:
        return Costs(
            taker_fee=fee,
            maker_fee=fee,
            half_spread_bps=read_decimal("half_spread_bps", data.get("half_spread_bps", "1")),
            slippage_bps=read_decimal("slippage_bps", data.get("slippage_bps", "0")),
            impact=float(read_decimal("impact", data.get("impact", "0.1"))),
            participation=None if share is None else read_decimal("participation", share),
            latency_ms=int(latency),
        )
    except ValueError as error:
        raise InvalidInput(str(error), field=str(error).split(" ", 1)[0]) from error


def parse_interval(name: str, value: Any) -> Timeframe:
    """Return the timeframe that `value` names."""
    try:
        return Timeframe(value)
    except ValueError:
        refuse(name, value, f"one of {', '.join(frame.value for frame in Timeframe)}")


def parse_time(name: str, value: Any) -> datetime | None:
    """Return an ISO date or time; without an offset it is UTC."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        refuse(name, value, "a date such as 2024-01-31 or a time such as 2024-01-31T12:00Z")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _check_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if not symbols or len(symbols) > MAX_SYMBOLS:
        refuse("symbols", list(symbols), f"1 to {MAX_SYMBOLS} symbols")
    found = tuple(symbol.upper() for symbol in symbols)
    for symbol in found:
        if not _SYMBOL.fullmatch(symbol):
            refuse("symbols", symbol, "a symbol such as BTCUSDT")
    if len(set(found)) < len(found):
        refuse("symbols", list(found), "each symbol once")
    return found
