"""Admin of execution: strategies are edited, everything else is a record of what happened."""

from typing import Any

from django import forms
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
from unfold.forms import ActionForm

from core.admin import ReadOnlyAdmin
from core.clock import get_clock
from core.errors import TradingError
from execution.adapters.factory import get_broker
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
from execution.services.cancels import request_cancel
from execution.services.differences import Settlement, settle_difference
from execution.services.loose_orders import KINDS


@admin.register(Strategy)
class StrategyAdmin(SimpleHistoryAdmin, ModelAdmin):
    """Trading settings."""

    list_display = ["name", "account", "timeframe", "min_confidence", "is_enabled"]
    filter_horizontal = ["instruments"]


class _BalanceInline(TabularInline):
    model = Balance
    extra = 0
    can_delete = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False


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


class _AttemptInline(TabularInline):
    model = SubmitAttempt
    extra = 0
    can_delete = False

    def has_add_permission(self, request: Any, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: Any, obj: Any = None) -> bool:
        return False


@admin.register(Order)
class OrderAdmin(ReadOnlyAdmin):
    """Orders with every attempt to send or cancel them."""

    list_display = [
        "created_at",
        "instrument",
        "leg",
        "side",
        "quantity",
        "state",
        "reason",
        "client_order_id",
    ]
    list_filter = ["state", "leg", "side"]
    search_fields = ["client_order_id", "instrument__symbol"]
    list_select_related = ["instrument"]
    ordering = ["-created_at", "-id"]
    inlines = [_AttemptInline]
    actions = ["cancel_orders"]

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """Cancelling is for those who may change orders; changing rows is for nobody."""
        return request.user.has_perm("execution.change_order")

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


class _SettleForm(ActionForm):
    """An action, and why."""

    reason = forms.CharField(
        max_length=500,
        required=False,
        label="",
        widget=forms.TextInput(
            attrs={
                "placeholder": "Reason (kept for ever)",
                # The bar of actions is coloured: say both colours.
                "style": "background: #fff; color: #111; width: 20rem",
                "class": "border rounded-default px-3 py-1",
            }
        ),
    )

    target = forms.ModelChoiceField(
        queryset=Strategy.objects.order_by("name"),
        required=False,
        label="",
        to_field_name="name",
        empty_label="Attach to … (its position's strategy)",
        widget=forms.Select(
            attrs={
                "style": "background: #fff; color: #111",
                "class": "border rounded-default px-3 py-1",
            }
        ),
    )


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
    action_form = _SettleForm
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
