"""The shapes of what is pushed to pages. ``push.publish`` adds ``version`` and ``seq``.

Money, prices and quantities are ``Decimal`` here and strings on the wire; times are aware and
become ISO 8601 in UTC.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypedDict


class Ticker(TypedDict):
    """The last price of a symbol."""

    type: Literal["ticker"]
    at: datetime
    symbol: str
    price: Decimal
    bid: Decimal | None
    ask: Decimal | None


class CandleMessage(TypedDict):
    """A candle, still open or just closed."""

    type: Literal["candle"]
    at: datetime
    symbol: str
    timeframe: str
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    is_closed: bool


class PredictionMessage(TypedDict):
    """What a model expects of a symbol."""

    type: Literal["prediction"]
    at: datetime
    symbol: str
    timeframe: str
    close_time: datetime
    state: str
    model_name: str | None
    horizon_bars: int | None
    p_up: float | None
    expected_return: float | None
    lower: float | None
    upper: float | None


class DecisionMessage(TypedDict):
    """What was decided at a candle close."""

    type: Literal["decision"]
    at: datetime
    decision_id: int
    symbol: str
    timeframe: str
    close_time: datetime
    action: str
    reason: str
    confidence: float | None
    edge_bps: float | None
    price: Decimal
    factors: list[dict[str, Any]]


class OrderMessage(TypedDict):
    """An order that came into being or changed its state."""

    type: Literal["order"]
    at: datetime
    order_id: int
    client_order_id: str
    symbol: str
    side: str
    order_type: str
    state: str
    quantity: Decimal
    filled_quantity: Decimal
    price: Decimal | None
    reason: str


class FillMessage(TypedDict):
    """One venue execution."""

    type: Literal["fill"]
    at: datetime
    fill_id: int
    order_id: int
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    realized_pnl: Decimal


class PositionMessage(TypedDict):
    """A position after a change."""

    type: Literal["position"]
    at: datetime
    position_id: int
    symbol: str
    status: str
    quantity: Decimal
    entry_price: Decimal
    stop_price: Decimal | None
    take_profit_price: Decimal | None
    realized_pnl: Decimal


class EquityMessage(TypedDict):
    """The account's worth."""

    type: Literal["equity"]
    at: datetime
    equity: Decimal
    cash: Decimal
    exposure: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    daily_pnl: Decimal
    drawdown_fraction: float


class RiskStateMessage(TypedDict):
    """The trading state: running or not, and the kill level."""

    type: Literal["risk_state"]
    at: datetime
    level: str
    epoch: int
    is_running: bool
    reason: str


class AlertMessage(TypedDict):
    """An alert that was raised, repeated or acknowledged."""

    type: Literal["alert"]
    at: datetime
    alert_id: int
    code: str
    severity: str
    message: str
    count: int
    is_acknowledged: bool


class TrainingMessage(TypedDict):
    """How far a training run is."""

    type: Literal["training"]
    at: datetime
    run_id: int | None
    model_name: str
    stage: str
    progress: float
    detail: dict[str, Any]


class BacktestMessage(TypedDict):
    """How far a backtest is; `verdict` is empty until it is done."""

    type: Literal["backtest"]
    at: datetime
    backtest_id: int
    state: str
    stage: str
    progress: float
    verdict: str


class ComponentMessage(TypedDict):
    """A component's health."""

    type: Literal["component"]
    at: datetime
    name: str
    status: str
    detail: dict[str, Any]


Message = (
    Ticker
    | CandleMessage
    | PredictionMessage
    | DecisionMessage
    | OrderMessage
    | FillMessage
    | PositionMessage
    | EquityMessage
    | RiskStateMessage
    | AlertMessage
    | TrainingMessage
    | BacktestMessage
    | ComponentMessage
)
