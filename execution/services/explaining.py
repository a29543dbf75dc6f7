"""Answers "why did it, or did it not, trade at 14:05": one closing reason and the whole list."""

from datetime import datetime
from typing import Any

from core.errors import NotFound
from execution.models import Decision
from execution.services.portfolio import intent_key
from markets.selectors import get_rules_by_symbol
from mlmodels.selectors import get_explanation
from risk.selectors import list_verdicts

_ORDER_COLUMNS = ("id", "client_order_id", "leg", "side", "type", "quantity", "price", "state")
_FILL_COLUMNS = ("venue_trade_id", "price", "quantity", "fee", "fee_asset", "timestamp")


def explain_decision(*, symbol: str, at: datetime) -> dict[str, Any]:
    """Return the decisions of the candle close at or before `at`, down to their fills.

    Args:
        symbol: Such as BTCUSDT.
        at: A moment in market time.

    Returns:
        ``{"symbol", "close_time", "decisions"}``, each decision with its reason, factors, vetoes,
        what it was given, prediction and orders.

    Raises:
        NotFound: The symbol is unknown, or nothing was decided on it until then.
    """
    rules = get_rules_by_symbol(symbol)
    rows = Decision.objects.filter(instrument_id=rules.instrument_id, close_time__lte=at)
    newest = rows.order_by("-close_time", "-id").values_list("close_time", flat=True).first()
    if newest is None:
        raise NotFound(
            f"Nothing was decided on {symbol} at or before {at.isoformat()}.", symbol=symbol
        )
    decisions = (
        rows.filter(close_time=newest)
        .select_related("strategy", "prediction")
        .prefetch_related("orders__fills", "orders__attempts", "orders__decision")
        .order_by("id")
    )
    return {
        "symbol": symbol,
        "close_time": newest,
        "decisions": [_describe(decision) for decision in decisions],
    }


def _describe(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.pk,
        "strategy": decision.strategy.name,
        "action": decision.action,
        "reason": decision.reason,
        "confidence": decision.confidence,
        "edge_bps": decision.edge_bps,
        "price": decision.price,
        "target_notional": decision.target_notional,
        "factors": decision.factors,
        "vetoes": decision.vetoes,
        "given": decision.inputs,
        "prediction": _describe_prediction(decision.prediction),
        "orders": [_describe_order(order) for order in decision.orders.all()],
    }


def _describe_prediction(prediction: Any) -> dict[str, Any] | None:
    if prediction is None:
        return None
    names = ("id", "model_name", "horizon_bars", "state", "p_up", "expected_return")
    more = ("lower", "upper", "sigma", "realized_return", "error")
    return {
        **{name: getattr(prediction, name) for name in (*names, *more)},
        "explanation": get_explanation(prediction.pk),
    }


def _describe_order(order: Any) -> dict[str, Any]:
    verdict = list_verdicts().filter(intent_key=intent_key(order)).first()
    return {
        **{name: getattr(order, name) for name in _ORDER_COLUMNS},
        "verdict": None
        if verdict is None
        else {
            "approved": verdict.approved,
            "code": verdict.code,
            "limit": verdict.limit,
            "value": verdict.value,
            "checks": verdict.checks,
        },
        "attempts": [
            {"kind": attempt.kind, "outcome": attempt.outcome, "signed_at": attempt.signed_at}
            for attempt in order.attempts.all()
        ],
        "fills": [
            {name: getattr(fill, name) for name in _FILL_COLUMNS} for fill in order.fills.all()
        ],
    }
