"""What decisions of one close are given besides predictions and candles."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from execution.domain.decision import ConfidenceMode, PositionView, Reason, StrategyConfig
from execution.domain.order import LIVE_STATES, Leg
from execution.models import Order, Position, Strategy
from markets.domain.timeframe import Timeframe

# Protective orders rest as long as the position lives; all other live orders are "pending".
_PENDING_LEGS = (Leg.ENTRY.value, Leg.EXIT.value, Leg.MANUAL.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One strategy on one of its symbols."""

    strategy: Strategy
    instrument_id: int


def list_pairs(timeframe: Timeframe, instrument_ids: list[int]) -> list[Pair]:
    """Return the enabled strategies with their symbols among `instrument_ids`: two queries."""
    strategies = {
        strategy.pk: strategy
        for strategy in Strategy.objects.filter(is_enabled=True, timeframe=timeframe.value)
    }
    links = (
        Strategy.instruments.through.objects.filter(
            strategy_id__in=list(strategies), instrument_id__in=instrument_ids
        )
        .order_by("strategy_id", "instrument_id")
        .values_list("strategy_id", "instrument_id")
    )
    return [
        Pair(strategy=strategies[strategy_id], instrument_id=instrument_id)
        for strategy_id, instrument_id in links
    ]


def list_positions(
    pairs: Sequence[Pair], instrument_ids: list[int], timeframe: Timeframe, now: datetime
) -> dict[tuple[int, int], PositionView]:
    """Return what each strategy holds or awaits in each symbol: two queries, three with parts."""
    accounts = {pair.strategy.account_id for pair in pairs}
    longest = max(pair.strategy.cooldown_bars for pair in pairs) * timeframe.delta
    held: dict[tuple[int, int], tuple[int | None, datetime, Decimal]] = {}
    closed: dict[tuple[int, int], datetime] = {}
    recent = Q(status=Position.Status.OPEN.value) | Q(closed_at__gt=now - longest)
    rows = Position.objects.filter(
        recent, account_id__in=accounts, instrument_id__in=instrument_ids
    ).values_list(
        *("account_id", "instrument_id", "strategy_id", "opened_at", "closed_at"),
        "average_entry_price",
    )
    for account_id, instrument_id, strategy_id, opened_at, closed_at, average in rows:
        key = (account_id, instrument_id)
        if closed_at is None:
            held[key] = (strategy_id, opened_at, average)
        else:
            closed[key] = max(closed_at, closed.get(key, closed_at))
    pending = set(
        Order.objects.filter(
            account_id__in=accounts,
            instrument_id__in=instrument_ids,
            leg__in=_PENDING_LEGS,
            state__in=[state.value for state in LIVE_STATES],
        ).values_list("account_id", "instrument_id")
    )
    is_scaled = any(p.strategy.scale_in_parts > 1 or p.strategy.scale_out_parts > 1 for p in pairs)
    parts = _list_parts(accounts, instrument_ids) if is_scaled and held else {}
    views = {}
    for pair in pairs:
        key = (pair.strategy.account_id, pair.instrument_id)
        owner, entered_at, average = held.get(key, (None, None, None))
        done = parts.get(key) or _Parts()
        views[pair.strategy.pk, pair.instrument_id] = PositionView(
            is_open=key in held,
            is_ours=key not in held or owner == pair.strategy.pk,
            opened_at=entered_at,
            last_closed_at=closed.get(key),
            has_pending_order=key in pending,
            entries=done.entries,
            exits=done.exits,
            last_entry_price=done.last_entry_price,
            average_price=float(average) if average and is_scaled else None,
        )
    return views


@dataclass(slots=True)
class _Parts:
    """What a round trip was entered and left by so far."""

    entries: int = 0
    exits: int = 0
    last_entry_price: float | None = None


def _list_parts(accounts: set[int], instrument_ids: Sequence[int]) -> dict[tuple[int, int], _Parts]:
    """Return the parts of the open positions: entries that bought, and sales at a gain."""
    rows = (
        Order.objects.filter(
            account_id__in=accounts,
            instrument_id__in=instrument_ids,
            position__status=Position.Status.OPEN.value,
            leg__in=[Leg.ENTRY.value, Leg.EXIT.value],
            filled_quantity__gt=0,
        )
        .order_by("pk")
        .values_list(
            *("account_id", "instrument_id", "leg", "decision__reason"),
            *("filled_quote", "filled_quantity"),
        )
    )
    parts: dict[tuple[int, int], _Parts] = {}
    for account_id, instrument_id, leg, reason, quote, quantity in rows:
        part = parts.setdefault((account_id, instrument_id), _Parts())
        if leg == Leg.ENTRY.value:
            part.entries += 1
            part.last_entry_price = float(quote / quantity)
        elif reason == Reason.SCALE_OUT.value:
            part.exits += 1
    return parts


def config_of(strategy: Strategy, timeframe: Timeframe, max_size: Decimal) -> StrategyConfig:
    """Return a strategy's rules; `max_size` is the risk limit that its entries stay within."""
    return StrategyConfig(
        bar_s=timeframe.seconds,
        base_position_size=strategy.base_position_size,
        max_position_size=max_size,
        min_confidence=strategy.min_confidence,
        min_edge_bps=strategy.min_edge_bps,
        cost_bps=strategy.cost_bps,
        cooldown_bars=strategy.cooldown_bars,
        max_holding_bars=strategy.max_holding_bars,
        confidence_mode=ConfidenceMode(strategy.confidence_mode),
        confidence_margin=strategy.confidence_margin,
        scale_in_parts=strategy.scale_in_parts,
        scale_in_step_bps=strategy.scale_in_step_bps,
        scale_out_parts=strategy.scale_out_parts,
        scale_out_step_bps=strategy.scale_out_step_bps,
    )
