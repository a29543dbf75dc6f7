"""The rows of one account that a batch of reports touches, held until the transaction ends."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, Q

from execution.domain.fill import Execution, OrderReport
from execution.domain.order import ATTACHED, Leg, OrderState, Side
from execution.domain.position import PositionState
from execution.models import Account, Balance, Fill, LedgerEntry, Order, Position
from execution.services.saving import update_rows
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_rules

ORDER_FIELDS = (
    "state",
    "reason",
    "context",
    "position",
    "quantity",
    "venue_order_id",
    "venue_list_id",
    "filled_quantity",
    "filled_quote",
    "reserved_quantity",
    "ended_at",
    "updated_at",
)
POSITION_FIELDS = (
    "status",
    "quantity",
    "entry_quantity",
    "entry_quote",
    "exit_quantity",
    "exit_quote",
    "cost_quote",
    "average_entry_price",
    "realized_pnl",
    "fees_quote",
    "dust_quantity",
    "has_dust",
    "stop_price",
    "take_profit_price",
    "closed_at",
    "updated_at",
)


@dataclass(slots=True, kw_only=True)
class Books:
    """What a booking reads once and writes once. Keys of positions are instrument ids.

    Attributes:
        by_key: The orders that were loaded: those reported, their lists and their lists' entries.
        balances: Those that the reported trades can move, by asset.
        unplaced: Instruments of pairs that ended without having rested: their entry was cancelled,
            or the exchange refused them.
        opened: Keys of the positions that ``save`` inserted.
    """

    account: Account
    now: datetime
    rules: dict[str, InstrumentRules]
    orders: dict[str, Order]
    orders_at_venue: dict[tuple[int, int], Order]
    by_key: dict[int | None, Order]
    known_trades: set[tuple[int, int]]
    positions: dict[int, Position]
    dust: dict[int, Position]
    balances: dict[str, Balance]
    fills: list[Fill] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    changed_orders: dict[int, Order] = field(default_factory=dict)
    changed_positions: dict[int, Position] = field(default_factory=dict)
    carried_dust: list[Position] = field(default_factory=list)
    fee_prices: dict[tuple[str, str], Decimal | None] = field(default_factory=dict)
    unplaced: set[int] = field(default_factory=set)
    opened: set[int] = field(default_factory=set)

    def working_of(self, order: Order | None) -> Order | None:
        """Return the entry whose fill brings this leg to life; None: it is no such leg."""
        parent = None if order is None else self.by_key.get(order.parent_id)
        return None if parent is None else self.by_key.get(parent.working_id)

    def change_balance(
        self, asset: str, change: Decimal, *, kind: str, fill: Fill | None, at: datetime
    ) -> None:
        """Add a ledger entry and move the asset's total with it."""
        if not change:
            return
        self.entries.append(
            LedgerEntry(
                account=self.account,
                asset=asset,
                change=change,
                kind=kind,
                fill=fill,
                timestamp=at,
            )
        )
        balance = self.balances.get(asset)
        if balance is None:
            balance = Balance(account=self.account, asset=asset, updated_at=self.now)
            self.balances[asset] = balance
        balance.total += change
        balance.updated_at = self.now

    def note(self, order: Order) -> None:
        """Remember that `order` changed."""
        order.updated_at = self.now
        self.changed_orders[order.pk] = order

    def save(self) -> None:
        """Write everything that changed: a fixed number of statements."""
        touched = [*self.changed_positions.values()]
        update_rows(self.carried_dust, ("has_dust", "updated_at"))
        update_rows([row for row in touched if row.pk is not None], POSITION_FIELDS)
        new_positions = [row for row in touched if row.pk is None]
        Position.objects.bulk_create(new_positions)
        self.opened = {row.pk for row in new_positions}
        Fill.objects.bulk_create(self.fills)
        update_rows(self.changed_orders.values(), ORDER_FIELDS)
        LedgerEntry.objects.bulk_create(self.entries)
        self._save_balances()

    def _save_balances(self) -> None:
        touched = {entry.asset for entry in self.entries}
        rows = [self.balances[asset] for asset in sorted(touched)]
        Balance.objects.bulk_create([row for row in rows if row.pk is None])
        update_rows([row for row in rows if row.pk is not None], ("total", "updated_at"))


def open_books(*, account_id: int, reports: Sequence[OrderReport], now: datetime) -> Books:
    """Load and lock what `reports` can touch: a fixed number of queries.

    The caller holds ``lock_account``, so nobody else books for this account meanwhile.
    """
    account = Account.objects.get(pk=account_id)
    rules = {rule.symbol: rule for rule in list_rules().values()}
    instruments = {rules[r.symbol].instrument_id for r in reports if r.symbol in rules}
    orders = _load_orders(account_id=account_id, reports=reports, instruments=instruments)
    executions = [execution for report in reports for execution in report.executions]
    trades = {execution.trade_id for execution in executions}
    known = Fill.objects.filter(
        account=account, instrument_id__in=instruments, venue_trade_id__in=trades
    ).values_list("instrument_id", "venue_trade_id")
    held = Position.objects.filter(
        Q(status=Position.Status.OPEN) | Q(has_dust=True),
        account=account,
        instrument_id__in=instruments,
    ).select_for_update()
    positions: dict[int, Position] = {}
    dust: dict[int, Position] = {}
    for row in held:
        (positions if row.status == Position.Status.OPEN else dust)[row.instrument_id] = row
    return Books(
        account=account,
        now=now,
        rules=rules,
        orders={order.client_order_id: order for order in orders},
        orders_at_venue={
            (order.instrument_id, order.venue_order_id): order
            for order in orders
            if order.venue_order_id is not None
        },
        by_key={order.pk: order for order in orders},
        known_trades=set(known) if trades else set(),
        positions=positions,
        dust=dust,
        balances=_load_balances(account, executions, rules) if executions else {},
    )


def _load_balances(
    account: Account, executions: Iterable[Execution], rules: Mapping[str, InstrumentRules]
) -> dict[str, Balance]:
    """Return the balances that these trades can move, by asset."""
    assets = {execution.fee_asset for execution in executions}
    for symbol in {execution.symbol for execution in executions} & rules.keys():
        assets |= {rules[symbol].base_asset, rules[symbol].quote_asset}
    rows = Balance.objects.filter(account=account, asset__in=assets).select_for_update()
    return {row.asset: row for row in rows}


def _load_orders(
    *, account_id: int, reports: Sequence[OrderReport], instruments: Iterable[int]
) -> list[Order]:
    named = Q(client_order_id__in={report.client_order_id for report in reports})
    numbered = Q(
        instrument_id__in=set(instruments),
        venue_order_id__in={report.venue_order_id for report in reports},
    )
    rows = Order.objects.filter(account_id=account_id).select_for_update().order_by("pk")
    orders = list(rows.filter(named | numbered))
    # The list that a reported leg belongs to moves with it; the entry of a list comes before it.
    for name in ("parent_id", "working_id"):
        keys = {getattr(order, name) for order in orders} - {order.pk for order in orders}
        if keys - {None}:
            orders += rows.filter(pk__in=keys)
    return orders


def state_of(position: Position) -> PositionState:
    """Return the row as a domain value."""
    return PositionState(
        quantity=position.quantity,
        cost_quote=position.cost_quote,
        entry_quantity=position.entry_quantity,
        entry_quote=position.entry_quote,
        exit_quantity=position.exit_quantity,
        exit_quote=position.exit_quote,
        realized_pnl=position.realized_pnl,
        fees_quote=position.fees_quote,
    )


def store_state(position: Position, state: PositionState) -> None:
    """Write a domain value into the row."""
    position.quantity = state.quantity
    position.cost_quote = state.cost_quote
    position.entry_quantity = state.entry_quantity
    position.entry_quote = state.entry_quote
    position.exit_quantity = state.exit_quantity
    position.exit_quote = state.exit_quote
    position.realized_pnl = state.realized_pnl
    position.fees_quote = state.fees_quote
    position.average_entry_price = state.average_entry_price


def next_attempts(position_ids: Iterable[int], leg: Leg) -> dict[int, int]:
    """Return the number of the next attempt at `leg` for each position."""
    latest = dict(
        Order.objects.filter(position_id__in=list(position_ids), leg=leg.value)
        .values_list("position_id")
        .annotate(Max("attempt"))
    )
    return {key: (latest.get(key) or 0) + 1 for key in position_ids}


def live_orders_of(position_ids: Iterable[int], legs: Iterable[Leg]) -> list[Order]:
    """Return the orders of these positions that are not final.

    Somebody else's stop that a person attached to a position protects it like a pair of ours.
    """
    final = [state.value for state in OrderState if state.is_final]
    wanted = list(legs)
    ours = Q(leg__in=[leg.value for leg in wanted])
    rows = Order.objects.filter(position_id__in=list(position_ids)).exclude(state__in=final)
    if Leg.PROTECT in wanted:
        ours |= attached_orders()
    return list(rows.filter(ours).order_by("pk"))


def attached_orders() -> Q:
    """Return the condition for sales of others that a person attached to a position."""
    return Q(leg=Leg.EXTERNAL.value, side=Side.SELL.value, context__has_key=ATTACHED)
