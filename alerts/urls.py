"""Addresses of alerts."""

from django.urls import path

from alerts import api

urlpatterns = [
    path("alerts", api.AlertListView.as_view()),
    path("alerts/<int:alert_id>/ack", api.AlertAckView.as_view()),
]
