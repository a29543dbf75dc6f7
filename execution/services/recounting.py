"""Computing everything again from the ledger, and comparing it with the stored rows."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Max

from execution.domain.invariants import Finding
from execution.domain.recount import BookedFill, Entry, Recount, expected_entries, in_order
from execution.models import Account, Balance, Fill, LedgerEntry, Order, Position
from execution.services.books import state_of
from execution.services.replay import execution_of, is_external
from markets.domain.instrument import InstrumentRules
from markets.selectors import list_rules
from risk.domain.metrics import EquityPoint, drawdown_fraction, next_point
from risk.selectors import MetricsView, load_curve
from risk.services.trading_state import lock_account

_ZERO = Decimal(0)
_GRID = Decimal("1e-18")
_CHUNK = 2000
_STATE_NAMES = (
    *("cost_quote", "entry_quantity", "entry_quote", "exit_quantity", "exit_quote"),
    *("realized_pnl", "fees_quote"),
)


@dataclass(slots=True, kw_only=True)
class Section:
    """One kind of figure: how many were computed again, and which are stored otherwise."""

    compared: int = 0
    not_checked: int = 0
    findings: list[Finding] = field(default_factory=list)

    def compare(self, subject: str, name: str, stored: Any, computed: Any) -> None:
        """Count one figure, and keep it where it differs in the last digit."""
        self.compared += 1
        if stored != computed:
            what = f"{name} is {_text(stored)}, the ledger makes {_text(computed)}"
            self.findings.append(Finding(subject=subject, problem=what))


@dataclass(slots=True, kw_only=True)
class Recounted:
    """What was computed again, by kind."""

    entries: Section = field(default_factory=Section)
    balances: Section = field(default_factory=Section)
    profits: Section = field(default_factory=Section)
    positions: Section = field(default_factory=Section)
    methods: Section = field(default_factory=Section)
    orders: Section = field(default_factory=Section)
    equity: Section = field(default_factory=Section)

    @property
    def sections(self) -> dict[str, Section]:
        """Each with the words for it."""
        return {
            "ledger entries, from the trades": self.entries,
            "balances": self.balances,
            "profit of each trade": self.profits,
            "positions": self.positions,
            "FIFO and average cost": self.methods,
            "fills of orders": self.orders,
            "equity curve": self.equity,
        }

    @property
    def findings(self) -> list[Finding]:
        """All that differs."""
        return [finding for section in self.sections.values() for finding in section.findings]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """The projections as they were at one moment, and how far the ledger went then."""

    account: Account
    last_entry: int
    last_fill: int
    balances: dict[str, Decimal]
    positions: list[Position]
    orders: dict[int, tuple[Decimal, Decimal]]
    metrics: list[MetricsView]


def recount_account(*, account_id: int) -> Recounted:
    """Compute balances, positions, profits and equity from the ledger; compare with the rows.

    The account is locked only while the projections are read; what is walked through never
    changes, so trading goes on meanwhile. Nothing is written.
    """
    stored = _read_stored(account_id)
    fills, order_of = _load_fills(stored, list_rules())
    result = Recounted()
    recount = Recount()
    pending = [row for row in stored.metrics if row.basis.get("entry") is not None]
    pending.reverse()  # the oldest last, to be taken from the end
    for entries, fill in in_order(list(_load_entries(stored)), fills):
        while pending and pending[-1].basis["entry"] < entries[0].entry_id:
            _compare_worth(result.equity, pending.pop(), recount, stored.account.quote_asset)
        recount.enter(entries)
        if fill is not None:
            recount.book(fill)
            _compare_entries(result.entries, fill, entries)
    while pending:
        _compare_worth(result.equity, pending.pop(), recount, stored.account.quote_asset)
    _compare_curve(result.equity, stored.metrics)
    _compare_balances(result.balances, stored, recount)
    _compare_profits(result, stored, recount, fills)
    _compare_positions(result, stored, recount)
    _compare_orders(result.orders, stored, fills, order_of)
    return result


@transaction.atomic
def _read_stored(account_id: int) -> _Stored:
    lock_account(account_id)
    own = {"account_id": account_id}
    orders = Order.objects.filter(**own, fills__isnull=False).distinct()
    return _Stored(
        account=Account.objects.get(pk=account_id),
        last_entry=LedgerEntry.objects.filter(**own).aggregate(Max("pk"))["pk__max"] or 0,
        last_fill=Fill.objects.filter(**own).aggregate(Max("pk"))["pk__max"] or 0,
        balances=dict(Balance.objects.filter(**own).values_list("asset", "total")),
        positions=list(Position.objects.filter(**own).order_by("pk")),
        orders={
            key: (quantity, quote)
            for key, quantity, quote in orders.values_list("pk", "filled_quantity", "filled_quote")
        },
        metrics=load_curve(account_id=account_id),
    )


def _load_fills(
    stored: _Stored, rules: dict[int, InstrumentRules]
) -> tuple[dict[int, BookedFill], dict[int, int]]:
    rows = Fill.objects.filter(account=stored.account, pk__lte=stored.last_fill)
    fills: dict[int, BookedFill] = {}
    order_of: dict[int, int] = {}
    for row in rows.select_related("order").order_by("pk").iterator(chunk_size=_CHUNK):
        own = rules[row.instrument_id]
        order_of[row.pk] = row.order_id
        fills[row.pk] = BookedFill(
            fill_id=row.pk,
            trip_id=row.position_id,
            instrument_id=row.instrument_id,
            base_asset=own.base_asset,
            quote_asset=own.quote_asset,
            execution=execution_of(row),
            is_external=is_external(row),
        )
    return fills, order_of


def _load_entries(stored: _Stored) -> Iterator[Entry]:
    rows = LedgerEntry.objects.filter(account=stored.account, pk__lte=stored.last_entry)
    columns = ("pk", "asset", "change", "kind", "fill_id")
    for key, asset, change, kind, fill_id in (
        rows.order_by("pk").values_list(*columns).iterator(chunk_size=_CHUNK)
    ):
        yield Entry(entry_id=key, asset=asset, change=change, kind=kind, fill_id=fill_id)


def _compare_entries(section: Section, fill: BookedFill, entries: list[Entry]) -> None:
    booked = {(entry.asset, entry.kind): entry.change for entry in entries}
    expected = expected_entries(fill)
    for asset, kind in sorted({*booked, *expected}):
        section.compare(
            f"trade:{fill.fill_id}",
            f"{kind} of {asset}",
            booked.get((asset, kind), _ZERO),
            expected.get((asset, kind), _ZERO),
        )


def _compare_balances(section: Section, stored: _Stored, recount: Recount) -> None:
    for asset in sorted({*stored.balances, *recount.balances}):
        section.compare(
            f"balance:{asset}",
            "total",
            stored.balances.get(asset, _ZERO),
            recount.balances.get(asset, _ZERO),
        )


def _compare_profits(
    result: Recounted, stored: _Stored, recount: Recount, fills: dict[int, BookedFill]
) -> None:
    rows = Fill.objects.filter(account=stored.account, pk__lte=stored.last_fill).order_by("pk")
    for key, profit in rows.values_list("pk", "realized_pnl"):
        if key not in recount.profits:
            problem = f"a trade of {fills[key].execution.symbol} without ledger entries"
            result.entries.findings.append(Finding(subject=f"trade:{key}", problem=problem))
            continue
        result.profits.compare(f"trade:{key}", "profit", profit, recount.profits[key])


def _compare_positions(result: Recounted, stored: _Stored, recount: Recount) -> None:
    for row in stored.positions:
        subject, section = f"position:{row.pk}", result.positions
        trip = recount.trips.get(row.pk)
        if trip is None:
            section.compare(subject, "number of trades", "one or more", "none")
            continue
        told, made = state_of(row), trip.state
        section.compare(subject, "quantity", row.quantity + row.dust_quantity, made.quantity)
        for name in _STATE_NAMES:
            section.compare(subject, name, getattr(told, name), getattr(made, name))
        section.compare(
            subject, "average_entry_price", row.average_entry_price, made.average_entry_price
        )
        section.compare(subject, "carried_quantity", row.carried_quantity, trip.carried.quantity)
        is_held = row.status == Position.Status.OPEN.value or row.has_dust
        counts = bool(made.quantity) and not trip.is_carried_on
        section.compare(subject, "whether something is held", is_held, counts)
        result.methods.compared += 1
        if (two := trip.disagreement) is not None:
            what = f"average cost makes {two[0]:f}, FIFO {two[1]:f}"
            result.methods.findings.append(Finding(subject=subject, problem=what))


def _compare_orders(
    section: Section, stored: _Stored, fills: dict[int, BookedFill], order_of: dict[int, int]
) -> None:
    sums: dict[int, tuple[Decimal, Decimal]] = {}
    for key, fill in fills.items():
        quantity, quote = sums.get(order_of[key], (_ZERO, _ZERO))
        item = fill.execution
        sums[order_of[key]] = quantity + item.quantity, quote + item.quote_quantity
    for order_id, (quantity, quote) in sorted(sums.items()):
        told = stored.orders.get(order_id, (_ZERO, _ZERO))
        section.compare(f"order:{order_id}", "filled_quantity", told[0], quantity)
        section.compare(f"order:{order_id}", "filled_quote", told[1], quote)


def _compare_worth(section: Section, row: MetricsView, recount: Recount, quote_asset: str) -> None:
    """Compare one point of the equity curve: the same marks on what the ledger held then."""
    marks = {int(key): Decimal(price) for key, price in row.basis["marks"].items()}
    subject = f"risk_metrics:{row.id}"
    try:
        worth = recount.value(marks, quote_asset=quote_asset)
    except KeyError as missing:
        what = f"instrument {missing} was held by the ledger and had no price in the record"
        section.findings.append(Finding(subject=subject, problem=what))
        return
    for name in ("cash", "exposure", "unrealized_pnl", "realized_pnl"):
        section.compare(subject, name, getattr(row, name), getattr(worth, name))
    section.compare(subject, "equity", row.equity, worth.cash + worth.exposure)


def _compare_curve(section: Section, rows: list[MetricsView]) -> None:
    """Compare what each point is measured against with what the points before it make."""
    before: EquityPoint | None = None
    for row in rows:
        if "flow" in row.basis:
            flow = Decimal(row.basis["flow"])
            made = next_point(before, equity=row.equity, now=row.timestamp, flow=flow)
            subject = f"risk_metrics:{row.id}"
            for name in ("day_start_equity", "high_water_mark"):
                section.compare(subject, name, getattr(row, name), getattr(made, name))
            section.compare(subject, "daily_pnl", row.daily_pnl, made.daily_pnl)
            drawdown = drawdown_fraction(
                equity=made.equity, high_water_mark=made.high_water_mark
            ).quantize(_GRID)
            section.compare(subject, "drawdown_fraction", row.drawdown_fraction, drawdown)
        else:
            # Written by an older version, or by a person who began a new high-water mark.
            section.not_checked += 1
        before = row.point


def _text(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
