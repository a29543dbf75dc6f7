"""Addresses of models and predictions."""

from django.urls import path

from mlmodels import api

urlpatterns = [
    path("models", api.ModelsView.as_view(), name="models"),
    path("models/<int:version_id>/promote", api.PromoteView.as_view(), name="model-promote"),
    path("models/<int:version_id>/rollback", api.RollbackView.as_view(), name="model-rollback"),
    path("models/searches", api.SearchesView.as_view(), name="searches"),
    path("models/searches/<int:search_id>", api.SearchView.as_view(), name="search"),
    path("predictions", api.PredictionsView.as_view(), name="predictions"),
]
