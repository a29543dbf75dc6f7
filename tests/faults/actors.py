"""What a forked process may do beside running a management command."""

import contextlib
import os
import random
from datetime import UTC, datetime

from django.conf import settings
from django.db import OperationalError

from alerts.adapters.apprise_transport import AppriseTransport
from alerts.services.delivery import deliver_due
from core.clock import from_ms, get_clock
from core.errors import TradingError
from execution.adapters.factory import get_broker
from execution.models import Order
from execution.services.cancels import cancel_orders
from execution.services.decisions import decide_close
from execution.services.orders import place_orders
from markets.domain.timeframe import Timeframe
from markets.models import Instrument
from mlmodels.domain.prediction import PredictionState, PredictionView
from mlmodels.services.promotion import promote, rollback
from tests.fakes.walks import Walks


def place(decision_ids: list[int]) -> None:
    """Be the orders worker: place the orders of decisions, and end."""
    place_orders(decision_ids=decision_ids, broker=get_broker(), clock=get_clock())


def cancel(order_ids: list[int]) -> None:
    """Cancel orders, and end."""
    orders = list(Order.objects.filter(pk__in=order_ids).order_by("pk"))
    cancel_orders(orders=orders, broker=get_broker(), clock=get_clock())


def decide(symbol: str, close_ms: int) -> None:
    """Be the pipeline's worker: decide at a close on which the model is sure, and end."""
    close_time = from_ms(close_ms)
    instrument = Instrument.objects.get(symbol=symbol)
    sure = PredictionView(
        instrument_id=instrument.pk,
        state=PredictionState.OK,
        horizon_bars=12,
        p_up=0.73,
        expected_return=0.012,
        lower=-0.018,
        upper=0.042,
        sigma=0.018,
    )
    decide_close(
        timeframe=Timeframe("5m"),
        close_time=close_time,
        predictions=[sure],
        windows=Walks(close_time, timeframe=Timeframe("5m")),
        now=get_clock().now(),
    )


def deliver() -> None:
    """Bring the alerts to their channels, and end."""
    settings.ALERTS_ALLOW_LOOPBACK = True
    deliver_due(transport=AppriseTransport(), now=datetime.now(UTC))


def promote_for_ever(version_ids: list[int]) -> None:
    """Promote versions and take them back, as fast as it goes, until somebody kills us."""
    dice = random.Random(os.getpid())
    while True:
        with contextlib.suppress(TradingError, OperationalError):  # another one was first
            change = dice.choice((promote, rollback))
            change(
                version_id=dice.choice(version_ids),
                reason="in turn",
                actor=str(os.getpid()),
                now=datetime.now(UTC),
            )


ACTORS = {
    "place": place,
    "cancel": cancel,
    "decide": decide,
    "deliver": deliver,
    "promote_for_ever": promote_for_ever,
}
