"""A desk with a day behind it: every table has rows that belong together.

Candles come from the exchange and the open position from real orders; what lies in the past is
written as the services would have written it then.
"""

import math
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.management import call_command
from django.db import transaction

from alerts.services.raising import raise_alert
from core.health import beat
from core.tokens import issue_token
from execution.models import Decision, Fill, Order, Position
from execution.services.strategies import set_up_strategy
from markets.domain.ticker import Ticker
from markets.domain.timeframe import Timeframe
from markets.models import Candle, Instrument
from markets.models.tickers import write_tickers
from markets.services.instruments import subscribe
from mlmodels.models import ModelAlias, ModelVersion, Prediction, TrainingRun
from risk.models import RiskMetrics
from sentiment.models import Mention, SentimentScore, Source
from tests.floor import Floor

D = Decimal
FRAME = Timeframe("5m")
BARS = 150
HORIZON = 12
COMPONENTS = (
    *("beat", "guard", "stream-market", "stream-user", "web"),
    *("worker.default", "worker.orders", "worker.pipeline", "worker.train"),
)
_FACTORS = ("TREND", "MOMENTUM", "MEAN_REVERSION", "VOLATILITY", "SENTIMENT")
_HOLDS = ("MIN_EDGE", "MIN_CONFIDENCE", "COOLDOWN", "KEEP_POSITION", "VOLATILITY_REGIME")


def fill_desk(floor: Floor, *, owner: Any) -> None:
    """Write a day of trading in every subscribed symbol of the floor."""
    now = floor.clock.now()
    instruments = list(Instrument.objects.order_by("symbol"))
    start = (now - FRAME.delta * (BARS + 2)).isoformat()
    for row in instruments:
        subscribe(instrument_id=row.pk, timeframe=FRAME)
        call_command("backfill", symbol=row.symbol, interval=FRAME.value, start=start, verbosity=0)
    with transaction.atomic():
        _write_history(floor, instruments, now=now)
    _add_alerts(now=now)
    _trade(floor)
    issue_token(user=owner, name="my script", now=now, lifetime=timedelta(days=30), actor="anna")
    show_life(now)


def _write_history(floor: Floor, instruments: list[Instrument], *, now: datetime) -> None:
    strategy = set_up_strategy(
        account_id=floor.account.pk, timeframe=FRAME, instrument_ids=[row.pk for row in instruments]
    )
    version = _add_model(instruments, now=now)
    for offset, row in enumerate(instruments):
        candles = list(Candle.objects.filter(instrument=row).order_by("open_time"))
        predictions = _add_predictions(version, row, candles)
        _add_decisions(strategy, row, candles, predictions, offset=offset)
    _add_equity(floor, now=now)
    _add_moods(instruments, now=now)


def show_life(now: datetime) -> None:
    """Let every component have said just now that it lives; one is ill."""
    for name in COMPONENTS:
        beat(name, now=now, interval_s=3600.0, is_well=name != "worker.train")


def _add_model(instruments: list[Instrument], *, now: datetime) -> ModelVersion:
    run = TrainingRun.objects.create(
        scope=FRAME.value, recipe="xgb-logit", horizon_bars=HORIZON, trigger="first", seed=1,
        instrument_ids=[row.pk for row in instruments], status="SUCCEEDED", rows=52_340,
        duration_s=8.4, started_at=now - timedelta(days=1), finished_at=now - timedelta(days=1),
        lease_until=now - timedelta(hours=23),
    )  # fmt: skip
    verdicts = ("SKILLED", "NO_SKILL")
    version = ModelVersion.objects.create(
        run=run, name="xgb-logit 5m 12", scope=FRAME.value, recipe="xgb-logit",
        horizon_bars=HORIZON, state="CHAMPION", verdict="SKILLED", spec_hash="a" * 64,
        metrics={"ic": 0.21, "auc": 0.61, "brier": 0.236},
        symbol_metrics={
            str(row.pk): {"verdict": verdicts[index % 2], "ic": (0.31, 0.004)[index % 2]}
            for index, row in enumerate(instruments)
        },
        trained_until=now - timedelta(days=1), artifact_id=uuid.uuid4(), manifest_sha256="b" * 64,
        state_reason="first model of its timeframe", created_at=now - timedelta(days=1),
    )  # fmt: skip
    ModelAlias.objects.create(scope=FRAME.value, version=version, updated_at=now)
    return version


def _add_predictions(
    version: ModelVersion, instrument: Instrument, candles: list[Candle]
) -> list[Prediction]:
    rows = []
    for index, candle in enumerate(candles):
        close = candle.open_time + FRAME.delta
        is_known = index + HORIZON < len(candles)
        realized = float(candles[index + HORIZON].close / candle.close - 1) if is_known else None
        expected = 0.002 * math.sin(index / 9) + 0.3 * (realized or 0.0)
        rows.append(
            Prediction(
                model_version=version, model_name=version.name, instrument=instrument,
                timeframe=FRAME.value, timestamp=close, close_time=close, horizon_bars=HORIZON,
                resolves_at=close + FRAME.delta * HORIZON, state="OK",
                p_up=0.5 + 40 * max(min(expected, 0.01), -0.01), expected_return=expected,
                lower=expected - 0.008, upper=expected + 0.008, sigma=0.005,
                realized_return=realized, error=None if realized is None else expected - realized,
                resolved_at=close + FRAME.delta * HORIZON if is_known else None, created_at=close,
            )
        )  # fmt: skip
    return Prediction.objects.bulk_create(rows)


def _add_decisions(
    strategy: Any,
    instrument: Instrument,
    candles: list[Candle],
    predictions: list[Prediction],
    *,
    offset: int,
) -> None:
    entered: Candle | None = None
    for index, (candle, prediction) in enumerate(zip(candles, predictions, strict=True)):
        turn = (index + 7 * offset) % 36
        action = {10: "ENTER", 28: "EXIT"}.get(turn, "HOLD")
        if action == "EXIT" and entered is None:
            action = "HOLD"
        reason = {"ENTER": "EDGE", "EXIT": "EXIT_REVERSAL"}.get(action, _HOLDS[index % 5])
        decision = Decision.objects.create(
            strategy=strategy, instrument=instrument, prediction=prediction, timeframe=FRAME.value,
            close_time=prediction.close_time, action=action, reason=reason,
            confidence=prediction.p_up, edge_bps=1e4 * prediction.expected_return - 22,
            price=candle.close, target_notional=D(1000) if action == "ENTER" else D(0),
            factors=[
                {"name": name, "score": round(math.sin(index / 7 + place), 3), "weight": 0.2,
                 "detail": {}}
                for place, name in enumerate(_FACTORS)
            ],
            vetoes=[] if action != "HOLD" else [reason], created_at=prediction.close_time,
        )  # fmt: skip
        if action == "ENTER":
            entered = candle
        elif action == "EXIT" and entered is not None:
            _add_round_trip(decision, entered, candle)
            entered = None


def _add_round_trip(decision: Decision, entry: Candle, last: Candle) -> None:
    quantity = (D(1000) / entry.close).quantize(D("0.00001"))
    opened_at, closed_at = entry.open_time + FRAME.delta, decision.close_time
    pnl = quantity * (last.close - entry.close) - D("1.9")
    common = {"account": decision.strategy.account, "instrument": decision.instrument}
    position = Position.objects.create(
        **common, strategy=decision.strategy, symbol=decision.instrument.symbol, status="closed",
        entry_quantity=quantity, entry_quote=quantity * entry.close, exit_quantity=quantity,
        exit_quote=quantity * last.close, realized_pnl=pnl, fees_quote=D("1.9"),
        opened_at=opened_at, closed_at=closed_at, updated_at=closed_at,
    )  # fmt: skip
    legs = (("ENTRY", "BUY", entry, opened_at), ("EXIT", "SELL", last, closed_at))
    for leg, side, candle, at in legs:
        venue_id = 10**9 + decision.pk * 10 + (side == "SELL")
        order = Order.objects.create(
            **common, strategy=decision.strategy, position=position, leg=leg, side=side,
            decision=decision if leg == "EXIT" else None, type="MARKET", quantity=quantity,
            client_order_id=f"ts-{uuid.uuid4().hex[:26]}", state="FILLED", filled_quantity=quantity,
            filled_quote=quantity * candle.close, venue_order_id=venue_id, expires_at=at,
            created_at=at, updated_at=at,
        )  # fmt: skip
        Fill.objects.create(
            **common, order=order, position=position, symbol=position.symbol, side=side,
            price=candle.close, quantity=quantity, quote_quantity=quantity * candle.close,
            fee=D("0.95"), fee_asset="USDT", realized_pnl=pnl if side == "SELL" else D(0),
            is_maker=False, venue_trade_id=venue_id, timestamp=at,
        )  # fmt: skip


def _add_equity(floor: Floor, *, now: datetime) -> None:
    rows, high, worth = [], D(100_000), D(100_000)
    for index in range(BARS):
        worth += D(str(round(18 * math.sin(index / 11) + 9 * math.cos(index / 3) + 2, 2)))
        high = max(high, worth)
        rows.append(
            RiskMetrics(
                account_id=floor.account.pk, timestamp=now - FRAME.delta * (BARS - index),
                equity=worth, cash=worth - 3000, exposure=D(3000), unrealized_pnl=D("12.5"),
                realized_pnl=worth - 100_000, daily_pnl=worth - 100_000, high_water_mark=high,
                drawdown_fraction=((high - worth) / high).quantize(D("1e-9")),
                day_start_equity=D(100_000), open_positions=2,
            )
        )  # fmt: skip
    RiskMetrics.objects.bulk_create(rows)


def _add_moods(instruments: list[Instrument], *, now: datetime) -> None:
    source = Source.objects.create(name="Scripted news", kind="SCRIPTED")
    for number in range(6):
        at = now - timedelta(hours=number)
        Mention.objects.create(
            source=source, external_id=str(number), title=f"Bitcoin rallies for hour {number}",
            assets=["BTC"], score=0.4, confidence=0.7, cluster=str(number), published_at=at,
            available_at=at,
        )  # fmt: skip
        for row in instruments:
            SentimentScore.objects.create(
                instrument=row, available_at=at, score=0.2, confidence=0.5, mentions=number
            )


def _add_alerts(*, now: datetime) -> None:
    told = (
        ("INFO", "MODEL_PROMOTED", "xgb-logit 5m 12 predicts 5m from now on."),
        ("WARNING", "STREAM_SILENT", "No market data for 40 s; the stream is being rebuilt."),
        ("ERROR", "RECONCILE_RED", "One order differs from the exchange; entries are stopped."),
    )
    for severity, code, message in told:
        raise_alert(code=code, severity=severity, message=message, context={}, now=now)


def _trade(floor: Floor) -> None:
    """Open real positions, and have one order refused."""
    floor.place(*[floor.decide(row.symbol) for row in Instrument.objects.order_by("symbol")])
    symbol = Instrument.objects.order_by("symbol")[0].symbol
    large = floor.decide(symbol)
    Decision.objects.filter(pk=large.pk).update(target_notional=D(90_000))
    floor.place(large)
    for row in Instrument.objects.order_by("symbol"):
        price = floor.price(row.symbol)
        assert write_tickers([Ticker(symbol=row.symbol, price=price, at=floor.clock.now())])
