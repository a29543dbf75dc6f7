"""Addresses of sentiment."""

from django.urls import path

from sentiment import api

urlpatterns = [path("sentiment/<str:symbol>", api.SentimentView.as_view())]
