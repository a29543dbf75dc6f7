"""What a desk did in a period: exact sums over the rows that belong to it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from execution.domain.order import Leg, OrderState, Side
from execution.domain.position import split_fee
from execution.models import Decision, Difference, Fill, Order, Position, Reconciliation
from execution.services.replay import execution_of

_ZERO = Decimal(0)
_NONE = "(none)"
_BPS = Decimal("0.01")
_GRID = Decimal("1e-18")
_DECIDED = (Leg.ENTRY.value, Leg.EXIT.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `since` up to `until`, without it; market time."""

    account_id: int
    since: datetime
    until: datetime

    def within(self, column: str) -> dict[str, Any]:
        """Return the filter of a row's time."""
        return {f"{column}__gte": self.since, f"{column}__lt": self.until}


def sum_results(period: Period) -> dict[str, Any]:
    """Return what was realized and paid: in all, by strategy, by symbol and by model; quote units.

    Profit counts when it is taken, with the sale; a round trip counts when it closes.
    """
    rows = Fill.objects.filter(account_id=period.account_id, **period.within("timestamp"))
    related = rows.select_related("position__strategy", "instrument", "order")
    fills = list(related.order_by("pk"))
    closed = list(
        Position.objects.filter(account_id=period.account_id, **period.within("closed_at"))
        .select_related("strategy")
        .order_by("pk")
    )
    touched = {fill.position_id for fill in fills} | {row.pk for row in closed}
    models = _models_of(touched)
    keys = {
        "by_strategy": lambda row: row.strategy.name if row.strategy else _NONE,
        "by_symbol": lambda row: row.symbol,
        "by_model": lambda row: models.get(row.pk, _NONE),
    }
    fees: dict[str, Decimal] = {}
    for fill in fills:
        fees[fill.fee_asset] = fees.get(fill.fee_asset, _ZERO) + fill.fee
    return {
        "realized": sum((fill.realized_pnl for fill in fills), _ZERO),
        "turnover": sum((fill.quote_quantity for fill in fills), _ZERO),
        "executions": len(fills),
        "round_trips": len(closed),
        "won": sum(row.realized_pnl > 0 for row in closed),
        "fees": dict(sorted(fees.items())),
        "fees_quote": sum((_fee_quote(fill) for fill in fills), _ZERO),
        **{name: _grouped(fills, closed, key) for name, key in keys.items()},
    }


def _fee_quote(fill: Fill) -> Decimal:
    """Return the commission in quote at the trade's own price, a third asset's as it was valued."""
    base, quote = split_fee(
        execution_of(fill),
        base_asset=fill.instrument.base_asset,
        quote_asset=fill.instrument.quote_asset,
    )
    return (base * fill.price).quantize(_GRID) + quote


def _models_of(position_ids: Iterable[int | None]) -> dict[int, str]:
    """Return whose prediction opened each position, by the model's name."""
    entries = Order.objects.filter(
        position_id__in=[key for key in position_ids if key is not None],
        leg=Leg.ENTRY.value,
        decision__prediction__isnull=False,
    ).order_by("-pk")
    return {
        position_id: name
        for position_id, name in entries.values_list(
            "position_id", "decision__prediction__model_name"
        )
        if position_id is not None
    }


def _grouped(fills: list[Fill], closed: list[Position], key: Any) -> list[dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}

    def group(name: str) -> dict[str, Any]:
        empty = {"name": name, "realized": _ZERO, "round_trips": 0, "won": 0, "fees_quote": _ZERO}
        return groups.setdefault(name, empty)

    for fill in fills:
        if fill.position is not None:
            group(key(fill.position))["realized"] += fill.realized_pnl
    for row in closed:
        own = group(key(row))
        own["round_trips"] += 1
        own["won"] += row.realized_pnl > 0
        own["fees_quote"] += row.fees_quote
    return sorted(groups.values(), key=lambda own: (-own["realized"], own["name"]))


def measure_slippage(period: Period) -> dict[str, Any]:
    """Return how much worse orders filled than the close that they were decided on.

    Basis points of the turnover, above 0 when it cost us; None without a filled order.
    """
    orders = Order.objects.filter(
        account_id=period.account_id,
        leg__in=_DECIDED,
        decision__isnull=False,
        **period.within("created_at"),
    ).select_related("decision")
    costs: list[tuple[Decimal, Decimal]] = []
    for order in orders.order_by("pk"):
        if not order.filled_quantity or order.decision is None or not order.decision.price:
            continue
        expected = order.filled_quantity * order.decision.price
        cost = order.filled_quote - expected
        costs.append((cost if order.side == Side.BUY.value else -cost, expected))
    total = sum((cost for cost, _expected in costs), _ZERO)
    turnover = sum((expected for _cost, expected in costs), _ZERO)
    each = [(10_000 * cost / expected).quantize(_BPS) for cost, expected in costs]
    return {
        "orders": len(costs),
        "cost_quote": total,
        "mean_bps": (10_000 * total / turnover).quantize(_BPS) if turnover else None,
        "worst_bps": max(each, default=None),
    }


def count_decisions(period: Period) -> dict[str, Any]:
    """Return how often was decided what, and what kept from entering."""
    rows = Decision.objects.filter(
        strategy__account_id=period.account_id, **period.within("close_time")
    ).values_list("action", "reason")
    pairs = Counter(rows.iterator())
    actions: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for (action, reason), count in pairs.items():
        actions[action] += count
        if action == "HOLD":
            held[reason] += count
    return {"total": sum(actions.values()), "by_action": _sorted(actions), "held_by": _sorted(held)}


def count_orders(period: Period) -> dict[str, Any]:
    """Return the orders that were made in the period by where they stand now."""
    rows = Order.objects.filter(
        account_id=period.account_id, parent=None, **period.within("created_at")
    ).values_list("state", flat=True)
    states = Counter(rows.iterator())
    return {"total": sum(states.values()), "by_state": _sorted(states)}


def count_comparisons(period: Period) -> dict[str, Any]:
    """Return how often the books were compared with the exchange's, and what is unsettled."""
    rows = Reconciliation.objects.filter(
        account_id=period.account_id, **period.within("timestamp")
    ).values_list("is_green", flat=True)
    verdicts = Counter(rows.iterator())
    unsettled = Difference.objects.filter(
        account_id=period.account_id, status=Difference.Status.OPEN
    )
    return {
        "green": verdicts[True],
        "red": verdicts[False],
        "open_differences": [f"{row.kind} {row.subject}" for row in unsettled.order_by("pk")],
    }


def measure_bare(period: Period, *, until: datetime) -> dict[str, Any]:
    """Return for how long positions were held without a stop or an exit on its way.

    Args:
        period: Which positions; only their time within it counts.
        until: The present, for what is still open. Seconds are of market time.
    """
    end = min(period.until, until)
    rows = Position.objects.filter(account_id=period.account_id, opened_at__lt=end)
    spans = {
        row.pk: (max(row.opened_at, period.since), min(row.closed_at or end, end))
        for row in rows.exclude(closed_at__lte=period.since)
    }
    covers: dict[int, list[tuple[datetime, datetime]]] = {key: [] for key in spans}
    legs = Order.objects.filter(
        position_id__in=list(spans), leg__in=[Leg.STOP_LOSS.value, Leg.EXIT.value]
    ).exclude(state__in=[OrderState.DENIED.value, OrderState.LAPSED.value])
    for order in legs.order_by("pk"):
        if order.position_id is not None:
            over = order.updated_at if OrderState(order.state).is_final else end
            covers[order.position_id].append((order.created_at, over))
    bare = [_uncovered_s(span, covers[key]) for key, span in spans.items()]
    return {
        "positions": len(spans),
        "seconds": round(sum(bare), 3),
        "longest": round(max(bare, default=0.0), 3),
    }


def _uncovered_s(span: tuple[datetime, datetime], covers: list[tuple[datetime, datetime]]) -> float:
    start, end = span
    left = 0.0
    for begin, over in sorted(covers):
        if begin > start:
            left += max(0.0, (min(begin, end) - start).total_seconds())
        start = max(start, over)
    return left + max(0.0, (end - start).total_seconds())


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
