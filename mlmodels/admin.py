"""Admin of models: what was trained, what predicts, and the operator's two moves."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils.html import format_html
from simple_history.admin import SimpleHistoryAdmin
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm

from core.admin import ReadOnlyAdmin
from core.clock import get_clock
from core.errors import TradingError
from markets.domain.timeframe import Timeframe
from mlmodels.models import (
    GateResult,
    MLSettings,
    ModelVersion,
    Prediction,
    RetrainEvent,
    Search,
    TrainingRun,
    Trial,
)
from mlmodels.services.health_page import read_health
from mlmodels.services.promotion import promote, rollback
from mlmodels.services.search_page import read_search


class ReasonForm(ActionForm):
    """The action, and why."""

    reason = forms.CharField(
        label="",
        required=False,
        max_length=255,
        widget=forms.TextInput(attrs={"placeholder": "Reason", "aria-label": "Reason"}),
    )


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    """Versions, newest first; nothing but their role can be changed."""

    list_display = [
        "id",
        "name",
        "state",
        "verdict",
        "health",
        "trained_until",
        "created_at",
        "state_reason",
    ]
    list_filter = ["state", "verdict", "scope"]
    list_select_related = ["run"]
    ordering = ["-created_at", "-id"]
    action_form = ReasonForm
    actions = ["promote_version", "roll_back_version"]

    def get_urls(self) -> list[Any]:
        """Add the page of one model's figures."""
        page = path(
            "<int:version_id>/health/",
            self.admin_site.admin_view(self.health_view),
            name="mlmodels_modelversion_health",
        )
        return [page, *super().get_urls()]

    @admin.display(description="Figures")
    def health(self, version: ModelVersion) -> str:
        """Link to the page of the model's figures."""
        address = reverse("admin:mlmodels_modelversion_health", args=[version.pk])
        return format_html('<a class="underline" href="{}">Plots</a>', address)

    def health_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """Show gates, calibration, what came of its predictions, and drift."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        version = get_object_or_404(ModelVersion, pk=version_id)
        context = {
            **self.admin_site.each_context(request),
            **read_health(version),
            "title": f"Model {version.pk}: {version.name}",
        }
        return render(request, "mlmodels/health.html", context)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Who may change settings of trading may choose what predicts."""
        return request.user.has_perm("mlmodels.change_modelversion")

    @admin.action(description="Promote: let it predict", permissions=["decide"])
    def promote_version(self, request: HttpRequest, queryset: Any) -> None:
        self._move(request, queryset, promote)

    @admin.action(description="Roll back to the version before it", permissions=["decide"])
    def roll_back_version(self, request: HttpRequest, queryset: Any) -> None:
        self._move(request, queryset, rollback)

    def _move(
        self, request: HttpRequest, queryset: Any, service: Callable[..., ModelVersion]
    ) -> None:
        version_ids = list(queryset.values_list("id", flat=True)[:2])
        reason = request.POST.get("reason", "").strip()
        if len(version_ids) != 1 or not reason:
            messages.error(request, "Choose exactly one version and give a reason.")
            return
        try:
            version = service(
                version_id=version_ids[0],
                reason=reason,
                actor=request.user.get_username(),
                now=get_clock().now(),
            )
        except TradingError as error:
            messages.error(request, error.message)
            return
        messages.success(request, f"Model {version.pk} predicts {version.scope} from now on.")


@admin.register(GateResult)
class GateResultAdmin(ReadOnlyAdmin):
    """What was asked of each version, and the answer."""

    list_display = ["version", "name", "number", "needed", "is_passed"]
    list_filter = ["is_passed", "name"]
    list_select_related = ["version"]
    ordering = ["-id"]


@admin.register(Trial)
class TrialAdmin(ReadOnlyAdmin):
    """The ledger of every configuration that was judged."""

    list_display = [
        "created_at",
        "scope",
        "recipe",
        "horizon_bars",
        "verdict",
        "ic",
        "ic_t",
        "brier_skill",
        "sharpe",
    ]
    list_filter = ["scope", "recipe", "verdict"]
    ordering = ["-id"]


@admin.register(Search)
class SearchAdmin(ReadOnlyAdmin):
    """Searches for better configurations, newest first."""

    list_display = ["id", "scope", "status", "wanted", "page", "created_at", "finished_at", "actor"]
    list_filter = ["status", "scope"]
    ordering = ["-id"]

    def get_urls(self) -> list[Any]:
        """Add the page of one search."""
        page = path(
            "<int:search_id>/page/",
            self.admin_site.admin_view(self.page_view),
            name="mlmodels_search_page",
        )
        return [page, *super().get_urls()]

    @admin.display(description="Report")
    def page(self, search: Search) -> str:
        """Link to the search's plots."""
        address = reverse("admin:mlmodels_search_page", args=[search.pk])
        return format_html('<a class="underline" href="{}">Plots</a>', address)

    def page_view(self, request: HttpRequest, search_id: int) -> HttpResponse:
        """Show what was found, and how much of it was luck."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        search = get_object_or_404(Search, pk=search_id)
        context = {
            **self.admin_site.each_context(request),
            **read_search(search),
            "title": f"Search {search.pk}",
        }
        return render(request, "mlmodels/search.html", context)


@admin.register(RetrainEvent)
class RetrainEventAdmin(ReadOnlyAdmin):
    """Alarms that asked for training, with their evidence."""

    list_display = ["created_at", "scope", "trigger", "outcome", "evidence", "version"]
    list_filter = ["scope", "trigger", "outcome"]
    list_select_related = ["version"]
    ordering = ["-created_at", "-id"]


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    """Every attempt to train."""

    list_display = [
        "id",
        "scope",
        "recipe",
        "trigger",
        "status",
        "rows",
        "duration_s",
        "started_at",
    ]
    list_filter = ["status", "scope", "trigger"]
    ordering = ["-started_at", "-id"]


@admin.register(Prediction)
class PredictionAdmin(ReadOnlyAdmin):
    """What was predicted, and what came of it."""

    list_display = [
        "timestamp",
        "instrument",
        "timeframe",
        "state",
        "p_up",
        "expected_return",
        "realized_return",
        "error",
        "model_name",
    ]
    list_filter = ["state", "timeframe"]
    list_select_related = ["instrument"]
    ordering = ["-timestamp", "-id"]


class MLSettingsForm(forms.ModelForm):
    """Refuses columns that this program cannot compute."""

    def clean_label_primary(self) -> str:
        from mlmodels.domain.indicators.terms import parse_term

        name = str(self.cleaned_data["label_primary"]).strip()
        if name:
            try:
                parse_term(name, Timeframe.H1.ms)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from error
        return name

    def clean_feature_parameters(self) -> dict[str, Any]:
        # The pages' process has no numpy until somebody needs it.
        from mlmodels.domain.expansion import Expansion

        given = self.cleaned_data["feature_parameters"] or {}
        try:
            Expansion.from_json(given).names(interval_ms=Timeframe.H1.ms)
        except (AttributeError, ValueError) as error:
            raise forms.ValidationError(str(error)) from error
        return dict(given)


@admin.register(MLSettings)
class MLSettingsAdmin(SimpleHistoryAdmin, ModelAdmin):
    """The one row of training settings, with its history."""

    form = MLSettingsForm
    list_display = [
        "__str__",
        "retrain_interval_hours",
        "retrain_error_threshold",
        "horizon_bars",
        "train_bars",
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not MLSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
