"""Addresses of the market's REST calls, under ``/data/``."""

from django.urls import path

from markets.api import KlinesView, SubscribeView, TickerView

urlpatterns = [
    path("data/subscribe", SubscribeView.as_view(), name="data-subscribe"),
    path("data/<str:symbol>/ticker", TickerView.as_view(), name="data-ticker"),
    path("data/<str:symbol>/klines", KlinesView.as_view(), name="data-klines"),
]
