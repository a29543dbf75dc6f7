"""REST lists of what was decided, ordered, filled and held: newest first, by cursor."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from core.rest.views import ReadListView
from execution.models import Account, Decision, Fill, Order, Position
from execution.selectors import (
    list_accounts,
    list_decisions,
    list_fills,
    list_orders,
    list_positions,
)


class _OrderFilter(django_filters.FilterSet):
    symbol = django_filters.CharFilter("instrument__symbol")
    since = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Order
        fields = ["state", "side", "leg"]


class _FillFilter(django_filters.FilterSet):
    since = django_filters.IsoDateTimeFilter("timestamp", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter("timestamp", lookup_expr="lt")

    class Meta:
        model = Fill
        fields = ["symbol", "side"]


class _PositionFilter(django_filters.FilterSet):
    class Meta:
        model = Position
        fields = ["symbol", "status"]


class _DecisionFilter(django_filters.FilterSet):
    symbol = django_filters.CharFilter("instrument__symbol")
    strategy = django_filters.CharFilter("strategy__name")
    since = django_filters.IsoDateTimeFilter("close_time", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter("close_time", lookup_expr="lt")

    class Meta:
        model = Decision
        fields = ["action", "reason", "timeframe"]


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


class OrdersView(ReadListView):
    """Orders, from the approved intent to the last fill."""

    filterset_class = _OrderFilter
    ordering = "-created_at"
    columns = {
        "id": "id",
        "symbol": "instrument__symbol",
        "decision": "decision_id",
        **_same("client_order_id", "venue_order_id", "leg", "side", "type", "time_in_force"),
        **_same("quantity", "price", "stop_price", "state", "reason", "is_reduce_only"),
        "stop_limit_price": "leg_limit_price",
        "parent": "parent_id",
        "supersedes": "supersedes_id",
        "bracket": "context__bracket",
        "working_order": "working_id",
        **_same("trailing_delta_bps", "ended_at"),
        **_same("filled_quantity", "filled_quote", "expires_at", "created_at", "updated_at"),
    }

    def get_queryset(self) -> QuerySet[Order]:
        return list_orders()


class TradesView(ReadListView):
    """Executions at the exchange."""

    filterset_class = _FillFilter
    ordering = "-timestamp"
    columns = {
        "order": "order_id",
        **_same("id", "symbol", "side", "price", "quantity", "quote_quantity", "fee"),
        **_same("fee_asset", "realized_pnl", "is_maker", "venue_trade_id", "timestamp"),
    }

    def get_queryset(self) -> QuerySet[Fill]:
        return list_fills()


class PositionsView(ReadListView):
    """Round trips, open and closed."""

    filterset_class = _PositionFilter
    ordering = "-opened_at"
    columns = {
        **_same("id", "symbol", "status", "quantity", "average_entry_price", "cost_quote"),
        **_same("realized_pnl", "fees_quote", "stop_price", "take_profit_price"),
        **_same("entry_quantity", "exit_quantity", "opened_at", "closed_at"),
    }

    def get_queryset(self) -> QuerySet[Position]:
        return list_positions()


class DecisionsView(ReadListView):
    """What was decided at each candle close, with all factors and vetoes."""

    filterset_class = _DecisionFilter
    ordering = "-close_time"
    columns = {
        "strategy": "strategy__name",
        "symbol": "instrument__symbol",
        "prediction": "prediction_id",
        **_same("id", "timeframe", "close_time", "action", "reason", "confidence", "edge_bps"),
        **_same("price", "target_notional", "factors", "vetoes", "created_at"),
    }

    def get_queryset(self) -> QuerySet[Decision]:
        return list_decisions()


class AccountsView(ReadListView):
    """Accounts with what the ledger says they hold."""

    ordering = "-created_at"
    columns = _same("id", "name", "mode", "quote_asset", "created_at", "reconciled_at")

    def get_queryset(self) -> QuerySet[Account]:
        return list_accounts()

    def present(self, row: dict[str, Any]) -> dict[str, Any]:
        account = list_accounts().get(pk=row["id"])
        row["balances"] = [
            {"asset": balance.asset, "total": balance.total, "updated_at": balance.updated_at}
            for balance in account.balances.all()
        ]
        return row
