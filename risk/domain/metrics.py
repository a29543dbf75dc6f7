"""Daily loss and drawdown from mark-to-market equity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """Equity at a moment with what it is measured against; all in quote units."""

    at: datetime
    equity: Decimal
    day_start_equity: Decimal
    high_water_mark: Decimal

    @property
    def daily_pnl(self) -> Decimal:
        """Change since the start of the UTC day, open positions and fees included."""
        return self.equity - self.day_start_equity

    @property
    def drawdown_fraction(self) -> Decimal:
        """Distance below the high-water mark, 0 to 1 (more when equity is negative)."""
        return drawdown_fraction(equity=self.equity, high_water_mark=self.high_water_mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What an account is worth at market at one moment, quote units.

    Attributes:
        cash: Quote balance.
        exposure: What is held, at market.
        unrealized_pnl: Of what is held.
        realized_pnl: Since the account was opened, net of fees.
        open_positions: How many.
        flow: Deposits less withdrawals since the last record.
        basis: What the figures were computed from, for whoever computes them again.
    """

    cash: Decimal
    exposure: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    open_positions: int = 0
    flow: Decimal = ZERO
    basis: Mapping[str, Any] = field(default_factory=dict)

    @property
    def equity(self) -> Decimal:
        """Cash and what is held."""
        return self.cash + self.exposure


def drawdown_fraction(*, equity: Decimal, high_water_mark: Decimal) -> Decimal:
    """Return how far `equity` is below its mark, as a fraction of the mark; never below 0.

    Without a positive mark nothing can have been lost from it: the result is 0.
    """
    if high_water_mark <= ZERO:
        return ZERO
    return max(ZERO, (high_water_mark - equity) / high_water_mark)


def day_of(moment: datetime) -> date:
    """Return the UTC day of `moment`."""
    return moment.astimezone(UTC).date()


def next_point(
    previous: EquityPoint | None, *, equity: Decimal, now: datetime, flow: Decimal = ZERO
) -> EquityPoint:
    """Return the point that follows `previous`.

    A new UTC day starts from the last equity of the old one, so that a loss between the two
    records counts. The first point of all starts both measures.

    Args:
        previous: The latest point; None: there is none.
        equity: Mark-to-market equity now, quote.
        now: The time of `equity`.
        flow: Deposits less withdrawals since `previous`, quote: neither profit nor loss.
    """
    if previous is None:
        return EquityPoint(at=now, equity=equity, day_start_equity=equity, high_water_mark=equity)
    is_same_day = day_of(previous.at) == day_of(now)
    day_start = previous.day_start_equity if is_same_day else previous.equity
    return EquityPoint(
        at=now,
        equity=equity,
        day_start_equity=day_start + flow,
        high_water_mark=max(previous.high_water_mark + flow, equity),
    )
