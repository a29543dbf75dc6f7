"""The one door through which live messages leave. See ``alerts/domain/live.py`` for the shapes.

A page gets ``{"type", "version", "at", "seq", …}``. The numbers run without gaps over all types
and processes; ``read_since`` and ``latest_seq`` serve a page that missed some.
"""

import logging
from functools import partial

from alerts.domain.live import (
    AlertMessage,
    BacktestMessage,
    CandleMessage,
    ComponentMessage,
    DecisionMessage,
    EquityMessage,
    FillMessage,
    Message,
    OrderMessage,
    PositionMessage,
    PredictionMessage,
    RiskStateMessage,
    Ticker,
    TrainingMessage,
)
from core import broadcast
from core.after_commit import run_after_commit
from core.broadcast import LIVE_GROUP, latest_seq, read_since
from core.rest.encoding import dumps

logger = logging.getLogger(__name__)

VERSION = 1

__all__ = [
    "LIVE_GROUP",
    "VERSION",
    "AlertMessage",
    "BacktestMessage",
    "CandleMessage",
    "ComponentMessage",
    "DecisionMessage",
    "EquityMessage",
    "FillMessage",
    "Message",
    "OrderMessage",
    "PositionMessage",
    "PredictionMessage",
    "RiskStateMessage",
    "Ticker",
    "TrainingMessage",
    "latest_seq",
    "publish",
    "read_since",
]


def publish(*messages: Message) -> None:
    """Send `messages` to every page once the transaction, if any, is committed.

    One call is one group message. Takes microseconds and never raises: without Redis the
    messages are dropped with one warning per minute.
    """
    if not messages:
        return
    try:
        texts = [dumps({"version": VERSION, **message}) for message in messages]
    except (TypeError, ValueError):
        # A programming error, but a page that misses a line must not cost an order.
        logger.exception("push.unserializable types=%s", [m.get("type") for m in messages])
        return
    run_after_commit(partial(broadcast.send, texts))
