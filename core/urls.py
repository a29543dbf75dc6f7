"""Addresses of what every room stands on."""

from django.urls import path

from core import api

urlpatterns = [path("audit", api.AuditListView.as_view())]
