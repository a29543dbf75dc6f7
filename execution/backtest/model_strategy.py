"""The strategy that trades live: forecasts and the decision engine, on past candles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.clock import from_ms
from execution.backtest.forecasts import Forecasts, Serving, forecast
from execution.backtest.plans import Call, Codes
from execution.backtest.screen import screen, unscreened
from execution.backtest.series import Series
from execution.domain.deciding import decide
from execution.domain.decision import DecisionDraft, Market, PositionView, StrategyConfig
from execution.domain.factors import Factor
from execution.domain.protection import DEFAULT_TERMS, ProtectionTerms
from execution.domain.signals import technical_factors
from markets.domain.technicals import SCORE_BARS, bar_sigma
from markets.domain.windows import FLOAT_FIELDS, Window
from risk.domain.trading_state import StateView

Sentiment = Callable[[int, datetime], Factor | None]
"""What was known of an instrument's mood at a moment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelPlan:
    """The strategy on one symbol."""

    series: Series
    forecasts: Forecasts
    config: StrategyConfig
    sentiment: Sentiment | None
    flat: Codes
    held: Codes
    protection: ProtectionTerms = DEFAULT_TERMS

    @property
    def cooldown_ms(self) -> int:
        return self.config.cooldown_bars * self.config.bar_s * 1000

    @property
    def longest_ms(self) -> int | None:
        return self.config.max_holding_bars * self.config.bar_s * 1000

    @property
    def is_scaled(self) -> bool:
        return self.config.is_scaled

    def ask(self, row: int, *, position: PositionView, state: StateView, now: datetime) -> Call:
        """Decide as live trading does."""
        draft = self.draft(row, position=position, state=state, now=now)
        return Call(
            action=draft.action,
            reason=draft.reason.value,
            notional=draft.target_notional,
            confidence=draft.confidence,
            edge_bps=draft.edge_bps,
            exit_fraction=draft.exit_fraction,
        )

    def draft(
        self, row: int, *, position: PositionView, state: StateView, now: datetime
    ) -> DecisionDraft:
        """Return the whole decision at the close of candle `row`."""
        market, prediction = read_market(self.series, row), self.forecasts.view(row)
        mood = None
        if self.sentiment is not None and market.close_time is not None:
            mood = self.sentiment(self.series.rules.instrument_id, market.close_time)
        return decide(
            prediction=prediction,
            market=market,
            sentiment=mood,
            position=position,
            config=self.config,
            state=state,
            weights=prediction.factor_weights,
            now=now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStrategy:
    """The live decision engine with the models that served over time.

    Attributes:
        name: As it appears in the report.
        config: Its rules.
        serving: Models in the order in which they took over.
        sentiment: Point-in-time moods, if there were any.
        forecasts: By instrument id, where they were made before.
        protection: How its positions are protected.
        is_screened: Leave out the closes whose answer is known beforehand. Without it every close
            is asked: the same answers, slowly.
    """

    name: str
    config: StrategyConfig
    serving: Sequence[Serving]
    sentiment: Sentiment | None = None
    forecasts: Mapping[int, Forecasts] = field(default_factory=dict)
    protection: ProtectionTerms = DEFAULT_TERMS
    is_screened: bool = True

    def plan(self, series: Series) -> ModelPlan:
        """Predict a symbol's candles ahead and find the closes that need a decision."""
        if series.timeframe.seconds != self.config.bar_s:
            raise ValueError(
                f"{self.name} decides on candles of {self.config.bar_s} s, "
                f"{series.rules.symbol} has {series.timeframe.value}"
            )
        forecasts = self.forecasts.get(series.rules.instrument_id)
        if forecasts is None:
            forecasts = forecast(series, self.serving)
        if self.is_screened:
            flat, held = screen(series.candles, forecasts, self.config)
        else:
            flat, held = unscreened(len(series))
        return ModelPlan(
            series=series,
            forecasts=forecasts,
            config=self.config,
            sentiment=self.sentiment,
            flat=flat,
            held=held,
            protection=self.protection,
        )


def read_market(series: Series, row: int) -> Market:
    """Return what the candles up to `row` say, from a window as the live store cuts it."""
    candles, first = series.candles, max(0, row + 1 - SCORE_BARS)
    window = Window(
        open_time_ms=candles.open_time_ms[first : row + 1],
        **{name: getattr(candles, name)[first : row + 1] for name in FLOAT_FIELDS},
    )
    return Market(
        factors=technical_factors(window, interval_ms=series.timeframe.ms),
        bar_sigma=bar_sigma(window.close),
        close_time=from_ms(int(series.close_ms[row])),
        price=float(window.close[-1]),
    )
