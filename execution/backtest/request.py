"""What a backtest is asked for, from the command line or the API: checked once, stored as JSON."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from core.errors import InvalidInput
from execution.backtest.costs import Costs
from markets.domain.timeframe import Timeframe

MODEL, EMA_RSI, MOMENTUM = "model", "ema_rsi", "momentum"
WALK_FORWARD, REGISTRY = "walk-forward", "registry"
MAX_SYMBOLS = 50

# What each strategy can be told, and what it does when it is told nothing.
PARAMETERS: dict[str, dict[str, float]] = {
    MODEL: {
        "base_position_size": 1000.0,
        "min_confidence": 0.6,
        "min_edge_bps": 5.0,
        "cost_bps": 22.0,
        "cooldown_bars": 1,
        "max_holding_bars": 24,
        "horizon_bars": 12,
        "retrain_bars": 720,
        "train_bars": 8760,
    },
    EMA_RSI: {"base_position_size": 1000.0, "fast": 12, "slow": 48, "rsi": 14, "ceiling": 75.0},
    MOMENTUM: {"base_position_size": 1000.0, "bars": 24},
}
_WHOLE = {
    *("cooldown_bars", "max_holding_bars", "horizon_bars", "retrain_bars", "train_bars"),
    *("fast", "slow", "rsi", "bars"),
}
_LEAST = {"cooldown_bars": 0, "min_edge_bps": -1e6, "min_confidence": 0.01, "cost_bps": 0.0}
_MOST = {"min_confidence": 0.99, "ceiling": 100.0, "fast": 10_000, "slow": 10_000, "rsi": 10_000}
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
        strategy: One of `PARAMETERS`.
        parameters: Of the strategy, defaults filled in.
        models: Where the model strategy gets its models: trained on the way as time goes on, or
            the versions of the registry, each from when it was made.
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
    models: str = WALK_FORWARD
    cash: Decimal = Decimal(100_000)
    costs: Costs = field(default_factory=Costs)

    def __post_init__(self) -> None:
        object.__setattr__(self, "symbols", _check_symbols(self.symbols))
        if self.strategy not in PARAMETERS:
            _refuse("strategy", self.strategy, f"one of {', '.join(PARAMETERS)}")
        object.__setattr__(self, "parameters", _check_parameters(self.strategy, self.parameters))
        if self.models not in (WALK_FORWARD, REGISTRY):
            _refuse("models", self.models, f"{WALK_FORWARD} or {REGISTRY}")
        if self.start is not None and self.end is not None and self.start >= self.end:
            _refuse("end", self.end.isoformat(), f"after start, {self.start.isoformat()}")
        if self.detail is not None and (
            self.detail.ms >= self.interval.ms or self.interval.ms % self.detail.ms
        ):
            _refuse("detail", self.detail.value, f"an interval that divides {self.interval.value}")
        if not 0 < self.cash <= Decimal(10) ** 12:
            _refuse("cash", str(self.cash), "above 0, quote units")

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
        _refuse(unknown[0], data[unknown[0]], f"absent; known are {', '.join(sorted(_KNOWN))}")
    symbols = data.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(item, str) for item in symbols):
        _refuse("symbols", symbols, 'a list such as ["BTCUSDT"]')
    parameters = data.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        _refuse("parameters", parameters, 'an object such as {"min_confidence": 0.6}')
    detail = data.get("detail")
    return BacktestRequest(
        symbols=tuple(symbols),
        interval=parse_interval("interval", data.get("interval")),
        start=parse_time("start", data.get("start")),
        end=parse_time("end", data.get("end")),
        detail=None if detail is None else parse_interval("detail", detail),
        strategy=str(data.get("strategy", MODEL)),
        parameters=parameters,
        models=str(data.get("models", WALK_FORWARD)),
        cash=parse_decimal("cash", data.get("cash", "100000")),
        costs=parse_costs(data),
    )


def parse_costs(data: Mapping[str, Any]) -> Costs:
    """Return the costs named in `data`, defaults where nothing is said.

    Raises:
        InvalidInput: A value is out of bounds.
    """
    fee = parse_decimal("fee_bps", data.get("fee_bps", "10")) / 10_000
    share = data.get("participation", "0.1")
    latency = parse_decimal("latency_ms", data.get("latency_ms", 250))
    try:
        return Costs(
            taker_fee=fee,
            maker_fee=fee,
            half_spread_bps=parse_decimal("half_spread_bps", data.get("half_spread_bps", "1")),
            slippage_bps=parse_decimal("slippage_bps", data.get("slippage_bps", "0")),
            impact=float(parse_decimal("impact", data.get("impact", "0.1"))),
            participation=None if share is None else parse_decimal("participation", share),
            latency_ms=int(latency),
        )
    except ValueError as error:
        raise InvalidInput(str(error), field=str(error).split(" ", 1)[0]) from error


def parse_interval(name: str, value: Any) -> Timeframe:
    """Return the timeframe that `value` names."""
    try:
        return Timeframe(value)
    except ValueError:
        _refuse(name, value, f"one of {', '.join(frame.value for frame in Timeframe)}")


def parse_time(name: str, value: Any) -> datetime | None:
    """Return an ISO date or time; without an offset it is UTC."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        _refuse(name, value, "a date such as 2024-01-31 or a time such as 2024-01-31T12:00Z")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_decimal(name: str, value: Any) -> Decimal:
    """Return a finite decimal."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        _refuse(name, value, "a number")
    if not number.is_finite():
        _refuse(name, value, "a finite number")
    return number


def _check_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if not symbols or len(symbols) > MAX_SYMBOLS:
        _refuse("symbols", list(symbols), f"1 to {MAX_SYMBOLS} symbols")
    found = tuple(symbol.upper() for symbol in symbols)
    for symbol in found:
        if not _SYMBOL.fullmatch(symbol):
            _refuse("symbols", symbol, "a symbol such as BTCUSDT")
    if len(set(found)) < len(found):
        _refuse("symbols", list(found), "each symbol once")
    return found


def _check_parameters(strategy: str, given: Mapping[str, Any]) -> dict[str, float]:
    known = PARAMETERS[strategy]
    found: dict[str, float] = dict(known)
    for name, value in given.items():
        if name not in known:
            _refuse(name, value, f"absent: {strategy} takes {', '.join(known)}")
        number = float(parse_decimal(name, value))
        least, most = _LEAST.get(name, 1e-9), _MOST.get(name, 1e9)
        if name in _WHOLE and (not number.is_integer() or number < (0 if least == 0 else 1)):
            _refuse(name, value, "a whole number of 1 or more" if least else "a whole number")
        if not least <= number <= most:
            _refuse(name, value, f"from {least:g} to {most:g}")
        found[name] = int(number) if name in _WHOLE else number
    return found


def _refuse(name: str, value: Any, expected: str) -> NoReturn:
    raise InvalidInput(
        f"{name} must be {expected}, was {value!r}"[:400],
        field=name,
        value=str(value)[:100],
        expected=expected,
    )
