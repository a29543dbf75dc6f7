"""What a strategy can decide, by which rules, and what it is shown."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from execution.domain.factors import Factor

_BPS = 10_000.0


class Action(StrEnum):
    """What to do with a symbol until the next candle."""

    ENTER = "ENTER"
    EXIT = "EXIT"
    HOLD = "HOLD"


class Reason(StrEnum):
    """The one closing reason of a decision; those of HOLD are also its vetoes."""

    EDGE = "EDGE"
    EXIT_FLATTEN = "EXIT_FLATTEN"
    EXIT_REVERSAL = "EXIT_REVERSAL"
    EXIT_MAX_HOLDING = "EXIT_MAX_HOLDING"
    SCALE_OUT = "SCALE_OUT"
    SCALE_IN = "SCALE_IN"
    KEEP_POSITION = "KEEP_POSITION"
    # vetoes, the more fundamental first
    STOPPED = "STOPPED"
    KILL_SWITCH = "KILL_SWITCH"
    POSITION_NOT_OURS = "POSITION_NOT_OURS"
    ORDER_PENDING = "ORDER_PENDING"
    STALE = "STALE"
    TOO_FEW_CANDLES = "TOO_FEW_CANDLES"
    NO_MODEL = "NO_MODEL"
    NO_SKILL = "NO_SKILL"
    NOT_FINITE = "NOT_FINITE"
    COOLDOWN = "COOLDOWN"
    VOLATILITY_REGIME = "VOLATILITY_REGIME"
    INTERVAL_TOO_WIDE = "INTERVAL_TOO_WIDE"
    MIN_EDGE = "MIN_EDGE"
    MIN_CONFIDENCE = "MIN_CONFIDENCE"
    BREAK_EVEN = "BREAK_EVEN"
    # Nothing like this close was in the training.
    UNFAMILIAR = "UNFAMILIAR"
    NO_ROOM = "NO_ROOM"


class ConfidenceMode(StrEnum):
    """By which rule the chance of a net gain is enough."""

    # At least `min_confidence`, whatever the trade may win or lose.
    ABSOLUTE = "absolute"
    # At least the chance at which a symmetric trade pays its costs, and `confidence_margin` more.
    EDGE = "edge"


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyConfig:
    """The rules of one strategy; costs are a round trip: fees, spread and slippage.

    Attributes:
        confidence_mode: Which rule the chance of a net gain must satisfy.
        confidence_margin: By how much it must exceed break-even in the mode `EDGE`.
        scale_in_parts: Entries that the full size is reached by; 1: at once.
        scale_in_step_bps: Move since the last entry before the next; below 0: downwards.
        scale_out_parts: Sales that a winning position is closed by; 1: at once.
        scale_out_step_bps: Gain at which each part but the last is sold: once, twice … as much.
    """

    bar_s: int
    base_position_size: Decimal
    max_position_size: Decimal
    min_confidence: float
    min_edge_bps: float
    cost_bps: float
    cooldown_bars: int
    max_holding_bars: int
    confidence_mode: ConfidenceMode = ConfidenceMode.ABSOLUTE
    confidence_margin: float = 0.02
    scale_in_parts: int = 1
    scale_in_step_bps: float = 100.0
    scale_out_parts: int = 1
    scale_out_step_bps: float = 200.0

    @property
    def is_scaled(self) -> bool:
        return self.scale_in_parts > 1 or self.scale_out_parts > 1

    @property
    def cost(self) -> float:
        """Round-trip cost as a fraction."""
        return self.cost_bps / _BPS


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """What is held or on its way in one symbol.

    Attributes:
        is_open: Something is held.
        is_ours: It was opened by the strategy that decides.
        opened_at: When; None when nothing is held.
        last_closed_at: When the previous round trip ended, if recent.
        has_pending_order: An entry or exit is live; protective orders do not count.
        entries: Entries of this round trip that bought something.
        exits: Parts of it that were sold at a gain.
        last_entry_price: Of the newest entry; None where parts do not matter.
        average_price: Of all entries; None with it.
    """

    is_open: bool = False
    is_ours: bool = True
    opened_at: datetime | None = None
    last_closed_at: datetime | None = None
    has_pending_order: bool = False
    entries: int = 0
    exits: int = 0
    last_entry_price: float | None = None
    average_price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What the candles say: factors, the volatility of one candle, and when the last closed."""

    factors: tuple[Factor, ...]
    bar_sigma: float | None
    close_time: datetime | None
    price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionDraft:
    """A decision with everything that led to it.

    Attributes:
        reason: The one that closed the matter.
        confidence: P(return over the horizon > costs); None without a prediction.
        edge_bps: Expected return less costs; None without a prediction.
        target_notional: Quote units to enter with; 0 unless ENTER.
        vetoes: Everything that speaks against entering, in order; for all actions.
        exit_fraction: Share of what is held that an EXIT sells.
    """

    action: Action
    reason: Reason
    confidence: float | None
    edge_bps: float | None
    target_notional: Decimal
    factors: tuple[Factor, ...]
    vetoes: tuple[Reason, ...]
    exit_fraction: Decimal = Decimal(1)
