"""Addresses of risk."""

from django.urls import path

from risk import api

urlpatterns = [
    path("risk/limits", api.LimitsView.as_view(), name="risk-limits"),
    path("risk/state", api.StateView.as_view(), name="risk-state"),
    path("risk/metrics", api.MetricsView.as_view(), name="risk-metrics"),
    path("risk/verdicts", api.VerdictsView.as_view(), name="risk-verdicts"),
    path("risk/halt", api.HaltView.as_view(), name="risk-halt"),
    path("risk/rearm", api.RearmView.as_view(), name="risk-rearm"),
]
