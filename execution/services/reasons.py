"""Closing reasons in words, with the numbers on both sides of each comparison."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_WORDS = {
    "EDGE": "entered: everything spoke for it",
    "EXIT_FLATTEN": "sold: the kill switch said FLATTEN",
    "EXIT_REVERSAL": "sold: the signal turned",
    "EXIT_MAX_HOLDING": "sold: held for as long as the rules allow",
    "KEEP_POSITION": "kept the position: nothing asked for its end",
    "STOPPED": "trading was stopped",
    "KILL_SWITCH": "the kill switch was not ACTIVE",
    "POSITION_NOT_OURS": "another strategy, or a person, holds the symbol",
    "ORDER_PENDING": "an order was under way",
    "STALE": "the candle was too old to act on",
    "TOO_FEW_CANDLES": "the symbol has too few candles for the features",
    "NO_MODEL": "no model serves",
    "NO_SKILL": "the model has shown no skill on the symbol",
    "NOT_FINITE": "a number of the prediction was none",
    "UNFAMILIAR": "the close is unlike everything in the training",
    "COOLDOWN": "too soon after the last round trip",
    "VOLATILITY_REGIME": "the market is much wilder than usual",
    "INTERVAL_TOO_WIDE": "the predicted interval is too wide to be information",
    "MIN_EDGE": "too little is expected after costs",
    "MIN_CONFIDENCE": "a net gain is not likely enough",
    "BREAK_EVEN": "a net gain is not likely enough to pay its costs",
    "NO_ROOM": "no room within the position limits",
}


def describe_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of ``explain_decision``'s answer."""
    return {**answer, "decisions": [_describe(row) for row in answer["decisions"]]}


def explain_reason(reason: str, decision: Mapping[str, Any]) -> str:
    """Return a reason in words; where numbers were compared, with both."""
    words = _WORDS.get(reason, reason)
    config = decision["given"].get("config", {})
    edge, confidence = decision["edge_bps"], decision["confidence"]
    numbers = ""
    if reason in ("MIN_EDGE", "EDGE") and edge is not None and config:
        numbers = f"{edge:+.1f} bps, {config['min_edge_bps']:g} needed"
    elif reason == "MIN_CONFIDENCE" and confidence is not None and config:
        numbers = f"{confidence:.3f}, {config['min_confidence']:g} needed"
    elif reason == "BREAK_EVEN" and confidence is not None and config:
        needed = _needed(decision["factors"])
        margin = config["confidence_margin"]
        numbers = f"{confidence:.3f}, {needed:.3f} needed: break-even and {margin:g}"
    elif reason == "EXIT_REVERSAL" and edge is not None and config:
        gross = edge + config["cost_bps"]
        numbers = f"{gross:+.1f} bps before costs, sold at {-config['min_edge_bps']:g} or less"
    elif reason == "COOLDOWN" and config:
        numbers = f"{config['cooldown_bars']} candles"
    return f"{words} ({numbers})" if numbers else words


def _needed(factors: Sequence[Mapping[str, Any]]) -> float:
    """Return the confidence that the rule asked for, as the model's factor keeps it."""
    needed = [factor["detail"].get("needed") for factor in factors if factor["name"] == "model"]
    return float(next((number for number in needed if number is not None), math.nan))


def _describe(decision: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **decision,
        "words": explain_reason(decision["reason"], decision),
        "list": [
            {"name": name, "words": explain_reason(name, decision)} for name in decision["vetoes"]
        ],
    }
