"""Addresses of execution."""

from django.urls import path

from execution.api import actions, answers, lists

urlpatterns = [
    path("trading/order", actions.PlaceOrderView.as_view(), name="trading-order"),
    path(
        "trading/order/<int:order_id>",
        actions.CancelOrderView.as_view(),
        name="trading-order-cancel",
    ),
    path(
        "trading/order/<int:order_id>/amend",
        actions.AmendOrderView.as_view(),
        name="trading-order-amend",
    ),
    path(
        "trading/order/<int:order_id>/replace",
        actions.ReplaceOrderView.as_view(),
        name="trading-order-replace",
    ),
    path("positions/close", actions.ClosePositionsView.as_view(), name="positions-close"),
    path("orders", lists.OrdersView.as_view(), name="orders"),
    path("trades", lists.TradesView.as_view(), name="trades"),
    path("positions", lists.PositionsView.as_view(), name="positions"),
    path("decisions", lists.DecisionsView.as_view(), name="decisions"),
    path("decisions/why", answers.WhyView.as_view(), name="decisions-why"),
    path("accounts", lists.AccountsView.as_view(), name="accounts"),
    path("performance", answers.PerformanceView.as_view(), name="performance"),
]
