"""Admin of execution: strategies are edited, everything else is a record of what happened."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin, TabularInline

from core.admin import ReadOnlyAdmin
from core.clock import get_clock
from core.errors import TradingError
from execution.adapters.factory import get_broker
from execution.admin.forms import ChangeForm, ManualOrderForm, SettleForm
from execution.models import (
    Account,
    Backtest,
    Balance,
    Decision,
    Difference,
    Fill,
    LedgerEntry,
    Order,
    Position,
    Reconciliation,
    Strategy,
    SubmitAttempt,
)
from execution.selectors import get_account
from execution.services.amending import amend_order
from execution.services.cancels import request_cancel
from execution.services.differences import Settlement, settle_difference
from execution.services.loose_orders import KINDS
from execution.services.manual import place_manual_order
from execution.services.replacing import Changes, replace_order


@admin.register(Strategy)
class StrategyAdmin(SimpleHistoryAdmin, ModelAdmin):
    """Trading settings."""

    list_display = ["name", "account", "timeframe", "confidence_mode", "is_enabled"]
    filter_horizontal = ["instruments"]


class _ReadOnlyInline(TabularInline):
    extra = 0
    can_delete = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False


class _BalanceInline(_ReadOnlyInline):
    model = Balance


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    """Accounts with their balances."""

    list_display = ["name", "mode", "quote_asset", "reconciled_at"]
    inlines = [_BalanceInline]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """Every decision with its reasons."""

    list_display = ["close_time", "instrument", "strategy", "action", "reason", "confidence", "why"]
    list_filter = ["action", "reason"]
    search_fields = ["instrument__symbol"]
    list_select_related = ["instrument", "strategy"]
    ordering = ["-close_time", "-id"]

    @admin.display(description="Why")
    def why(self, row: Decision) -> str:
        """Link to the page that explains the close."""
        asked = urlencode({"symbol": row.instrument.symbol, "at": row.close_time.isoformat()})
        return format_html('<a href="{}?{}">explain</a>', reverse("desk-decisions"), asked)


class _AttemptInline(_ReadOnlyInline):
    model = SubmitAttempt


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders with every attempt to send or cancel them."""

    list_display = [
        "created_at",
        "instrument",
        "leg",
        "side",
        "type",
        "quantity",
        "price",
        "stop_price",
        "state",
        "belongs_to",
        "reason",
        "client_order_id",
    ]
    list_filter = ["state", "leg", "side"]
    search_fields = ["client_order_id", "instrument__symbol"]
    list_select_related = ["instrument"]
    ordering = ["-created_at", "-id"]
    inlines = [_AttemptInline]
    action_form = ChangeForm
    actions = ["cancel_orders", "amend_orders", "replace_orders"]

    @admin.display(description="Belongs to")
    def belongs_to(self, row: Order) -> str:
        """Name the list of a leg, and the entry that a pair waits or waited for."""
        if row.working_id is not None:
            return f"after order {row.working_id}"
        return "" if row.parent_id is None else f"leg of {row.parent_id}"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("execution.add_order")

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        if obj is None:
            return ManualOrderForm
        return super().get_form(request, obj, *args, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            return list(ManualOrderForm.base_fields)
        return super().get_fields(request, obj)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [] if obj is None else [_AttemptInline]

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Place the order; what the gate or the exchange says is shown on the next page."""
        try:
            placed = place_manual_order(
                account_id=get_account(settings.ACCOUNT_NAME).pk,
                wanted=form.to_order(),
                idempotency_key=uuid.uuid4().hex,
                actor=request.user.get_username(),
                broker=get_broker(),
                clock=get_clock(),
            )
        except TradingError as error:
            messages.error(request, f"{error.message} {_details(error)}".strip())
        else:
            obj.pk = placed.pk
            messages.success(request, f"Order {placed.pk} is {placed.state}")

    def log_addition(self, request: HttpRequest, obj: Order, message: Any) -> None:
        """The audit trail has it, with what became of it."""

    def response_add(self, request: HttpRequest, obj: Order, post_url_continue: Any = None) -> Any:
        return redirect("admin:execution_order_changelist")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Cancelling is for those who may change orders; changing rows is for nobody."""
        return request.user.has_perm("execution.change_order")

    @admin.action(description="Amend: make smaller, same place", permissions=["cancel"])
    def amend_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Give the chosen orders a smaller quantity, for a reason."""
        values = _changes(request)
        self._each(
            request,
            queryset,
            lambda order_id, **common: amend_order(
                order_id=order_id, quantity=values.get("quantity") or Decimal(0), **common
            ),
        )

    @admin.action(description="Replace by one with these figures", permissions=["cancel"])
    def replace_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Replace the chosen orders, for a reason."""
        values = _changes(request)
        self._each(
            request,
            queryset,
            lambda order_id, **common: replace_order(
                order_id=order_id,
                changes=Changes(**values),
                idempotency_key=uuid.uuid4().hex,
                **common,
            ),
        )

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Order], act: Callable[..., Order]
    ) -> None:
        for order_id in list(queryset.order_by("pk").values_list("pk", flat=True)):
            try:
                order = act(
                    order_id,
                    account_id=get_account(settings.ACCOUNT_NAME).pk,
                    actor=request.user.get_username(),
                    reason=request.POST.get("reason", ""),
                    broker=get_broker(),
                    clock=get_clock(),
                )
            except TradingError as error:
                messages.error(request, f"{error.message} {_details(error)}".strip())
            else:
                messages.success(request, f"Order {order.pk} is {order.state}")

    @admin.action(description="Cancel at the exchange", permissions=["cancel"])
    def cancel_orders(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        """Cancel the chosen orders one by one and say what became of each."""
        for order_id in list(queryset.order_by("pk").values_list("pk", flat=True)):
            try:
                order = request_cancel(
                    account_id=get_account(settings.ACCOUNT_NAME).pk,
                    order_id=order_id,
                    actor=str(request.user),
                    broker=get_broker(),
                    clock=get_clock(),
                )
            except TradingError as error:
                messages.error(request, error.message)
            else:
                messages.success(request, f"Order {order_id} is {order.state}")


def _changes(request: HttpRequest) -> dict[str, Any]:
    """Return the figures of the bar of actions that are there and are numbers."""
    form = ChangeForm(request.POST)
    form.is_valid()
    names = ("quantity", "price", "stop_price")
    return {name: value for name in names if (value := form.cleaned_data.get(name))}


def _details(error: TradingError) -> str:
    limit, value = error.context.get("limit"), error.context.get("value")
    return f"(limit {limit}, was {value})" if limit else ""


@admin.register(Fill)
class FillAdmin(ReadOnlyAdmin):
    """Executions."""

    list_display = ["timestamp", "symbol", "side", "quantity", "price", "fee", "fee_asset"]
    list_filter = ["side"]
    search_fields = ["symbol", "order__client_order_id"]
    ordering = ["-timestamp", "-id"]


@admin.register(Position)
class PositionAdmin(ReadOnlyAdmin):
    """Round trips."""

    list_display = ["opened_at", "symbol", "status", "quantity", "realized_pnl", "closed_at"]
    list_filter = ["status"]
    search_fields = ["symbol"]
    ordering = ["-opened_at", "-id"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    """Every change of every balance."""

    list_display = ["timestamp", "account", "asset", "change", "kind", "reason"]
    list_filter = ["kind", "asset"]
    list_select_related = ["account"]
    ordering = ["-timestamp", "-id"]


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    """Comparisons with the exchange."""

    list_display = ["timestamp", "account", "is_green", "orders_compared", "trades_compared"]
    list_filter = ["is_green"]
    list_select_related = ["account"]
    ordering = ["-timestamp", "-id"]


@admin.register(Backtest)
class BacktestAdmin(ReadOnlyAdmin):
    """Backtests and their verdicts; they are run from the desk, the API or the command line."""

    list_display = ["created_at", "strategy", "symbols", "interval", "state", "verdict"]
    list_filter = ["state", "verdict", "strategy"]
    search_fields = ["symbols"]
    exclude = ["report"]
    ordering = ["-created_at", "-id"]
    actions = ["open_report"]

    @admin.action(description="Show the report", permissions=["view"])
    def open_report(self, request: HttpRequest, queryset: QuerySet[Backtest]) -> Any:
        """Go to the desk's page of the first chosen backtest."""
        return redirect("desk-backtest", backtest_id=queryset.values_list("pk", flat=True)[0])


@admin.register(Difference)
class DifferenceAdmin(ReadOnlyAdmin):
    """What differs from the exchange, and what was done about it. Open ones forbid entries."""

    list_display = [
        *("status", "kind", "subject", "figures", "first_seen_at", "last_seen_at"),
        *("actor", "reason"),
    ]
    list_filter = ["status", "kind"]
    search_fields = ["subject"]
    ordering = ["-last_seen_at", "-id"]
    action_form = SettleForm
    actions = ["adopt", "attach", "flatten", "ignore"]

    @admin.display(description="Ours / theirs")
    def figures(self, row: Difference) -> str:
        """Show the two sides; of an order what it would do."""
        detail = row.detail
        if row.kind in KINDS:
            words = (detail["side"], detail["left"], detail["type"])
            prices = (detail["price"], detail["stop_price"])
            return " ".join([*words, *(f"at {price}" for price in prices if price)])
        ours = detail.get("ledger", detail.get("stored", ""))
        theirs = detail.get("exchange", detail.get("recomputed", ""))
        return f"{ours} / {theirs}"

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Settling is for those who may change orders."""
        return request.user.has_perm("execution.change_order")

    @admin.action(
        description="Adopt: book a balance as deposit or withdrawal, take an order for known",
        permissions=["settle"],
    )
    def adopt(self, request: HttpRequest, queryset: QuerySet[Difference]) -> None:
        """Enter unexplained balances into the ledger; let orders of others rest."""
        self._settle(request, queryset, Difference.Status.ADOPTED)

    @admin.action(
        description="Attach: the order belongs to its symbol's position, or to a strategy",
        permissions=["settle"],
    )
    def attach(self, request: HttpRequest, queryset: QuerySet[Difference]) -> None:
        """Take an order of somebody else, or a stop without its position, into management."""
        self._settle(request, queryset, Difference.Status.ATTACHED)

    @admin.action(
        description="Flatten: sell the position, cancel the order", permissions=["settle"]
    )
    def flatten(self, request: HttpRequest, queryset: QuerySet[Difference]) -> None:
        """Close the positions in question at the market; cancel orders."""
        self._settle(request, queryset, Difference.Status.FLATTENED)

    @admin.action(description="Ignore: it may stay so", permissions=["settle"])
    def ignore(self, request: HttpRequest, queryset: QuerySet[Difference]) -> None:
        """Leave it as it is; other figures are a new difference."""
        self._settle(request, queryset, Difference.Status.IGNORED)

    def _settle(self, request: HttpRequest, queryset: QuerySet[Difference], status: str) -> None:
        settlement = Settlement(
            status=status,
            reason=request.POST.get("reason", ""),
            actor=request.user.get_username(),
            target=request.POST.get("target", ""),
        )
        for difference_id in list(queryset.order_by("pk").values_list("pk", flat=True)):
            try:
                row = settle_difference(
                    difference_id=difference_id,
                    settlement=settlement,
                    broker=get_broker(),
                    clock=get_clock(),
                )
            except TradingError as error:
                messages.error(request, f"Difference {difference_id}: {error.message}")
            else:
                messages.success(request, f"{row.kind} {row.subject} is {row.status}")
