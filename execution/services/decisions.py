"""Deciding at a candle close: one batch over all strategies and symbols of a timeframe."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from alerts import push
from core.clock import from_ms, to_ms
from core.crashpoints import crashpoint
from execution.domain.deciding import decide
from execution.domain.decision import Action, DecisionDraft, Market
from execution.domain.factors import sentiment_factor
from execution.domain.inputs import DecisionInputs
from execution.domain.signals import technical_factors
from execution.models import Decision
from execution.services.decision_inputs import Pair, config_of, list_pairs, list_positions
from markets.domain.technicals import SCORE_BARS, bar_sigma
from markets.domain.timeframe import Timeframe
from markets.domain.windows import Window
from mlmodels.domain.prediction import PredictionView
from risk.selectors import get_limits
from risk.services.trading_state import read_state
from sentiment.selectors import list_sentiment


class Windows(Protocol):
    """The part of the window store that deciding needs."""

    def ensure(
        self, *, timeframe: Timeframe, instrument_ids: Sequence[int], close_time_ms: int
    ) -> None:
        """Load what is missing up to that close, in one query."""

    def window(
        self, *, timeframe: Timeframe, instrument_id: int, length: int, close_time_ms: int
    ) -> Window:
        """Return the newest candles that closed by then."""


def decide_close(
    *,
    timeframe: Timeframe,
    close_time: datetime,
    predictions: Sequence[PredictionView],
    windows: Windows,
    now: datetime,
) -> list[int]:
    """Decide for every enabled strategy of `timeframe` on every predicted symbol; store all.

    The number of queries does not depend on the number of symbols. A close that is delivered
    again changes nothing: the unique key keeps the first decision, and its ids are returned.

    Args:
        timeframe: Of the candles that closed.
        close_time: When they closed.
        predictions: One per symbol; only these symbols are decided.
        windows: Holds the closed candles up to `close_time`.
        now: Market time.

    Returns:
        Ids of this close's ENTER and EXIT decisions, ascending.
    """
    by_instrument = {prediction.instrument_id: prediction for prediction in predictions}
    pairs = list_pairs(timeframe, list(by_instrument))
    if not pairs:
        return []
    instrument_ids = sorted({pair.instrument_id for pair in pairs})
    markets = _read_markets(windows, timeframe, instrument_ids, close_time)
    positions = list_positions(pairs, instrument_ids, timeframe, now)
    sentiment = list_sentiment(instrument_ids=instrument_ids, as_of=close_time)
    state, limits = read_state(), get_limits()
    max_size = limits.max_position_size if limits else Decimal(0)
    rows, entering = [], set()  # a symbol is for who enters it first, also within one close
    for pair in pairs:
        market, price = markets[pair.instrument_id]
        symbol = (pair.strategy.account_id, pair.instrument_id)
        position = positions[pair.strategy.pk, pair.instrument_id]
        given = DecisionInputs(
            position=replace(position, has_pending_order=True) if symbol in entering else position,
            config=config_of(pair.strategy, timeframe, max_size),
            state=state,
            weights=by_instrument[pair.instrument_id].factor_weights,
        )
        draft = decide(
            prediction=by_instrument[pair.instrument_id],
            market=market,
            sentiment=sentiment_factor(sentiment.get(pair.instrument_id)),
            position=given.position,
            config=given.config,
            state=given.state,
            weights=given.weights,
            now=now,
        )
        if draft.action is Action.ENTER:
            entering.add(symbol)
        prediction_id = by_instrument[pair.instrument_id].prediction_id
        rows.append(_row(pair, draft, given, price, prediction_id, timeframe, close_time, now))
    crashpoint("decision.before_commit")
    Decision.objects.bulk_create(rows, ignore_conflicts=True)
    crashpoint("decision.committed")
    return _announce(pairs, instrument_ids, timeframe, close_time, now)


def _read_markets(
    windows: Windows, timeframe: Timeframe, instrument_ids: Sequence[int], close_time: datetime
) -> dict[int, tuple[Market, Decimal]]:
    # A worker that has just started has not seen the candles that its predecessor held.
    windows.ensure(
        timeframe=timeframe, instrument_ids=instrument_ids, close_time_ms=to_ms(close_time)
    )
    return {
        instrument_id: _read_market(windows, timeframe, instrument_id, close_time)
        for instrument_id in instrument_ids
    }


def _read_market(
    windows: Windows, timeframe: Timeframe, instrument_id: int, close_time: datetime
) -> tuple[Market, Decimal]:
    """Return what the candles say and the last close; a market without candles says nothing."""
    window = windows.window(
        timeframe=timeframe,
        instrument_id=instrument_id,
        length=SCORE_BARS,
        close_time_ms=to_ms(close_time),
    )
    if not len(window):
        return Market(factors=(), bar_sigma=None, close_time=None), Decimal(0)
    closed_at = from_ms(int(window.open_time_ms[-1]) + timeframe.seconds * 1000)
    market = Market(
        factors=technical_factors(window, interval_ms=timeframe.ms),
        bar_sigma=bar_sigma(window.close),
        # A window that is behind the close it should decide on is stale, whatever the clock says.
        close_time=closed_at if closed_at >= close_time else None,
        price=float(window.close[-1]),
    )
    return market, Decimal(str(float(window.close[-1])))


def _row(
    pair: Pair,
    draft: DecisionDraft,
    given: DecisionInputs,
    price: Decimal,
    prediction_id: int | None,
    timeframe: Timeframe,
    close_time: datetime,
    now: datetime,
) -> Decision:
    return Decision(
        strategy=pair.strategy,
        instrument_id=pair.instrument_id,
        prediction_id=prediction_id,
        timeframe=timeframe.value,
        close_time=close_time,
        action=draft.action.value,
        reason=draft.reason.value,
        confidence=draft.confidence,
        edge_bps=draft.edge_bps,
        price=price,
        target_notional=draft.target_notional,
        exit_fraction=draft.exit_fraction,
        factors=[factor.to_json() for factor in draft.factors],
        vetoes=[veto.value for veto in draft.vetoes],
        inputs=given.to_json(),
        created_at=now,
    )


def _announce(
    pairs: Sequence[Pair],
    instrument_ids: list[int],
    timeframe: Timeframe,
    close_time: datetime,
    now: datetime,
) -> list[int]:
    """Push what is stored of this close, whoever stored it; return the ids to place."""
    stored = list(
        Decision.objects.filter(
            strategy_id__in={pair.strategy.pk for pair in pairs},
            instrument_id__in=instrument_ids,
            timeframe=timeframe.value,
            close_time=close_time,
        )
        .order_by("id")
        .values(
            "id",
            "instrument__symbol",
            "action",
            "reason",
            "confidence",
            "edge_bps",
            "price",
            "factors",
        )
    )
    push.publish(
        *(
            push.DecisionMessage(
                type="decision",
                at=now,
                decision_id=row["id"],
                symbol=row["instrument__symbol"],
                timeframe=timeframe.value,
                close_time=close_time,
                action=row["action"],
                reason=row["reason"],
                confidence=row["confidence"],
                edge_bps=row["edge_bps"],
                price=row["price"],
                factors=row["factors"],
            )
            for row in stored
        )
    )
    return [row["id"] for row in stored if row["action"] != Action.HOLD.value]
