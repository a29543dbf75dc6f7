"""Addresses of execution."""

from django.urls import path

from execution.api import answers, lists

urlpatterns = [
    path("orders", lists.OrdersView.as_view(), name="orders"),
    path("trades", lists.TradesView.as_view(), name="trades"),
    path("positions", lists.PositionsView.as_view(), name="positions"),
    path("decisions", lists.DecisionsView.as_view(), name="decisions"),
    path("decisions/why", answers.WhyView.as_view(), name="decisions-why"),
    path("accounts", lists.AccountsView.as_view(), name="accounts"),
    path("performance", answers.PerformanceView.as_view(), name="performance"),
]
