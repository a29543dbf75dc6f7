"""The control plane's first page: kill switch, limits, what changed, what was refused."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST
from simple_history.admin import SimpleHistoryAdmin

from core.admin import ReadOnlyAdmin
from core.clock import get_clock
from core.errors import InvalidInput, TradingError
from risk.domain.limits import BOUNDS, find_problems
from risk.domain.trading_state import GLOBAL, Level, StateView, parse_scope
from risk.models import (
    RearmRequest,
    RiskLimits,
    RiskMetrics,
    RiskVerdict,
    TradingState,
    TradingStateChange,
)
from risk.selectors import (
    find_rearm_request,
    get_limits_row,
    latest_metrics,
    list_denials,
    list_state_changes,
)
from risk.services.limits import NAMES, save_limits
from risk.services.rearming import REQUEST_LIFETIME, rearm_trading
from risk.services.trading_state import raise_level, read_states

_RECENT = 10
_GROUPS = (
    ("Losses", ("max_daily_loss", "max_drawdown_fraction")),
    ("Size", ("max_position_size", "max_positions", "max_order_notional", "max_open_orders")),
    ("Protection of each position", ("stop_loss_fraction", "take_profit_fraction")),
    ("Sanity of an order", ("price_collar_fraction", "max_data_age_bars", "duplicate_window_s")),
    ("Costs", ("fee_fraction", "fee_reserve")),
    ("Selling everything (FLATTEN)", ("flatten_slice_notional", "flatten_slippage_fraction")),
)
_LABELS = {
    "max_daily_loss": "Daily loss",
    "max_drawdown_fraction": "Drawdown",
    "max_position_size": "Position size",
    "max_positions": "Positions",
    "max_order_notional": "Order size",
    "max_open_orders": "Open orders",
    "stop_loss_fraction": "Stop loss",
    "take_profit_fraction": "Take profit",
    "price_collar_fraction": "Price collar",
    "max_data_age_bars": "Age of market data",
    "duplicate_window_s": "Window for duplicates",
    "fee_fraction": "Fee",
    "fee_reserve": "Reserve for fees",
    "flatten_slice_notional": "Largest slice",
    "flatten_slippage_fraction": "Slippage cap",
}


_ASKED = "Asked for. Another person, who did not raise it, must re-arm within ten minutes."


def _text(rows: int = 2) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows})


def _scope(text: str) -> str:
    try:
        return parse_scope(text or GLOBAL)
    except InvalidInput as error:
        raise forms.ValidationError(error.message) from error


class HaltForm(forms.Form):
    """How far to shut, why, and that it is meant."""

    level = forms.ChoiceField(
        choices=[(level.value, level.value) for level in Level if level is not Level.ACTIVE],
        initial=Level.HALT.value,
    )
    scope = forms.CharField(
        max_length=64,
        required=False,
        initial=GLOBAL,
        help_text="GLOBAL, or one account:NAME, strategy:NAME, model:NAME or symbol:NAME alone",
    )
    reason = forms.CharField(max_length=500, widget=_text())
    is_confirmed = forms.BooleanField(label="Yes, stop trading now")

    def clean_scope(self) -> str:
        """Report a scope of no known kind at its own field; none is everything."""
        return _scope(self.cleaned_data["scope"])


class RearmForm(forms.Form):
    """Why it is safe again, and which state the person saw."""

    reason = forms.CharField(max_length=500, widget=_text())
    reset_drawdown = forms.BooleanField(
        required=False, label="Start a new high-water mark at the present equity"
    )
    scope = forms.CharField(max_length=64, required=False, initial=GLOBAL, widget=forms.HiddenInput)
    expected_epoch = forms.IntegerField(widget=forms.HiddenInput)
    is_confirmed = forms.BooleanField(label="The cause is known and gone")

    def clean_scope(self) -> str:
        """Return the switch that the button belongs to; none is the global one."""
        return _scope(self.cleaned_data["scope"])


class LimitsForm(forms.ModelForm):
    """All limits, the version that the person saw, and why they change."""

    reason = forms.CharField(max_length=500, widget=_text())
    expected_version = forms.IntegerField(widget=forms.HiddenInput)

    class Meta:
        model = RiskLimits
        fields = NAMES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NAMES:
            self.fields[name].label = _LABELS[name]
            self.fields[name].help_text += f". At most {BOUNDS[name].high:,}"

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the limits as the page shows them."""
        return [(title, [self[name] for name in names]) for title, names in _GROUPS]

    def reason_fields(self) -> list[forms.BoundField]:
        """Return what is asked once for all of them."""
        return [self["reason"]]

    def clean(self) -> dict[str, Any]:
        """Report every bound that is broken at its own field."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            for problem in find_problems({name: cleaned.get(name) for name in NAMES}):
                self.add_error(problem.field, problem.fix)
        return cleaned


def _rearm_form(scope: str, view: StateView) -> RearmForm:
    prefix = "rearm" if scope == GLOBAL else f"rearm-{scope}"
    form = RearmForm(auto_id=f"{prefix}_%s", initial={"scope": scope, "expected_epoch": view.epoch})
    if scope != GLOBAL:
        del form.fields["reset_drawdown"]  # drawdown is the whole account's
    return form


@admin.register(TradingState)
class TradingStateAdmin(ReadOnlyAdmin):
    """The page that stops everything; its buttons call the services, nothing edits the row."""

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        own = [
            path("halt/", site.admin_view(self.halt), name="risk_halt"),
            path("rearm/", site.admin_view(self.rearm), name="risk_rearm"),
            path("limits/", site.admin_view(self.limits), name="risk_limits"),
        ]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the page instead of a list of one row."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return self._page(request)

    @method_decorator(require_POST)
    def halt(self, request: HttpRequest) -> HttpResponse:
        """Raise the level."""
        self._require(request, "risk.change_tradingstate")
        form = HaltForm(request.POST, auto_id="halt_%s")
        if not form.is_valid():
            return self._page(request, halt_form=form)
        return self._do(
            request,
            lambda: raise_level(
                level=Level(form.cleaned_data["level"]),
                reason=form.cleaned_data["reason"],
                actor=request.user.get_username(),
                now=get_clock().now(),
                scope=form.cleaned_data["scope"],
            ),
        )

    @method_decorator(require_POST)
    def rearm(self, request: HttpRequest) -> HttpResponse:
        """Go back to ACTIVE."""
        self._require(request, "risk.change_tradingstate")
        form = RearmForm(request.POST, auto_id="rearm_%s")
        if not form.is_valid():
            return self._page(request, rearm_form=form)
        clock = get_clock()
        return self._do(
            request,
            lambda: rearm_trading(
                reason=form.cleaned_data["reason"],
                actor=request.user.get_username(),
                reset_drawdown=form.cleaned_data["reset_drawdown"],
                expected_epoch=form.cleaned_data["expected_epoch"],
                scope=form.cleaned_data["scope"],
                now=clock.now(),
                lifetime=clock.protocol(REQUEST_LIFETIME),
            ),
            undone=_ASKED,
        )

    @method_decorator(require_POST)
    def limits(self, request: HttpRequest) -> HttpResponse:
        """Change the limits."""
        self._require(request, "risk.change_risklimits")
        form = LimitsForm(request.POST)
        if not form.is_valid():
            return self._page(request, limits_form=form)
        return self._do(
            request,
            lambda: save_limits(
                changes={name: form.cleaned_data[name] for name in NAMES},
                actor=request.user.get_username(),
                reason=form.cleaned_data["reason"],
                expected_version=form.cleaned_data["expected_version"],
                now=get_clock().now(),
            ),
        )

    def _require(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied

    def _do(self, request: HttpRequest, act: Any, *, undone: str = "") -> HttpResponse:
        """Call the service, tell the outcome, and show the page anew: a reload repeats nothing.

        Args:
            request: Of the button.
            act: The service's call.
            undone: What to say when the kill switch is not ACTIVE after it; empty: any is done.
        """
        try:
            state = act()
        except TradingError as error:
            messages.error(request, error.message)
        else:
            is_done = not undone or state.level is Level.ACTIVE
            messages.success(request, "Done." if is_done else undone)
        return HttpResponseRedirect(reverse("admin:risk_tradingstate_changelist"))

    def _page(self, request: HttpRequest, **shown: Any) -> HttpResponse:
        states, row = read_states(), get_limits_row()
        state = states.of()
        version = row.version if row else 0
        context = {
            **self.admin_site.each_context(request),
            "title": "Kill switch and limits",
            "state": state,
            "is_active": state.level is Level.ACTIVE,
            "scopes": [
                (scope, view, _rearm_form(scope, view))
                for scope, view in states.raised(Level.REDUCE_ONLY).items()
                if scope != GLOBAL
            ],
            "metrics": latest_metrics(),
            "changes": list_state_changes()[:_RECENT],
            "denials": list_denials()[:_RECENT],
            "can_switch": request.user.has_perm("risk.change_tradingstate"),
            "can_limit": request.user.has_perm("risk.change_risklimits"),
            "halt_form": HaltForm(auto_id="halt_%s"),
            "rearm_form": _rearm_form(GLOBAL, states.views.get(GLOBAL, state)),
            "asked": find_rearm_request(
                scope=GLOBAL,
                epoch=states.views.get(GLOBAL, state).epoch,
                now=get_clock().now(),
            ),
            "limits_form": LimitsForm(instance=row, initial={"expected_version": version}),
            **shown,
        }
        status = 400 if shown else 200
        return TemplateResponse(request, "risk/control.html", context, status=status)


@admin.register(RiskLimits)
class RiskLimitsAdmin(SimpleHistoryAdmin, ReadOnlyAdmin):
    """The limits in force and all their versions; they are changed on the first page."""

    list_display = ["__str__", *NAMES[:6], "updated_at"]
    history_list_display = ["version"]


@admin.register(TradingStateChange)
class TradingStateChangeAdmin(ReadOnlyAdmin):
    """Every move of the kill switch."""

    list_display = ["timestamp", "scope", "from_level", "to_level", "actor", "reason"]
    list_filter = ["to_level", "scope"]
    ordering = ["-timestamp", "-id"]


@admin.register(RearmRequest)
class RearmRequestAdmin(ReadOnlyAdmin):
    """Who asked to re-arm, and who was the second."""

    list_display = ["asked_at", "scope", "asked_by", "reason", "approved_by", "approved_at"]
    ordering = ["-asked_at", "-id"]


@admin.register(RiskVerdict)
class RiskVerdictAdmin(ReadOnlyAdmin):
    """What the gate said of every order."""

    list_display = ["created_at", "symbol", "purpose", "approved", "code", "limit", "value"]
    list_filter = ["approved", "code", "purpose"]
    search_fields = ["intent_key", "symbol"]
    ordering = ["-created_at", "-id"]


@admin.register(RiskMetrics)
class RiskMetricsAdmin(ReadOnlyAdmin):
    """Equity over time."""

    list_display = ["timestamp", "equity", "daily_pnl", "drawdown_fraction", "open_positions"]
    ordering = ["-timestamp", "-id"]
