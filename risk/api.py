"""REST of risk: limits, the kill switch, equity over time."""

from decimal import Decimal
from typing import Any

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.clock import get_clock
from core.drf import ExactDecimal, StrictSerializer, Whole
from core.errors import NotFound
from core.rest.encoding import plain
from core.rest.views import ReadListView
from risk.domain.trading_state import GLOBAL, Level, parse_scope
from risk.models import RiskMetrics, RiskVerdict
from risk.selectors import (
    find_rearm_request,
    get_limits_row,
    list_denials,
    list_metrics,
    list_state_changes,
    to_limits,
)
from risk.services import trading_state
from risk.services.limits import export_limits, save_limits
from risk.services.rearming import REQUEST_LIFETIME, rearm_trading

_RECENT = 20
_SCOPES = "GLOBAL, account:NAME, strategy:NAME, model:NAME or symbol:NAME"


class LimitsInput(StrictSerializer):
    """Any of the limits, by their names; what is left out stays as it is."""

    max_position_size = ExactDecimal(required=False)
    max_positions = Whole(required=False)
    max_daily_loss = ExactDecimal(required=False)
    max_drawdown_fraction = ExactDecimal(required=False)
    stop_loss_fraction = ExactDecimal(required=False)
    take_profit_fraction = ExactDecimal(required=False)
    max_order_notional = ExactDecimal(required=False, allow_null=True)
    price_collar_fraction = ExactDecimal(required=False)
    max_data_age_bars = Whole(required=False)
    max_open_orders = Whole(required=False)
    fee_fraction = ExactDecimal(required=False, allow_zero=True)
    fee_reserve = ExactDecimal(required=False, allow_zero=True)
    duplicate_window_s = Whole(required=False)
    flatten_slice_notional = ExactDecimal(required=False)
    flatten_slippage_fraction = ExactDecimal(required=False)
    reason = serializers.CharField(max_length=500)
    version = Whole(required=False, help_text="The version that you saw; another one answers 409")


class HaltInput(StrictSerializer):
    """How far to shut, and why."""

    level = serializers.ChoiceField(
        choices=[level.value for level in Level if level is not Level.ACTIVE],
        default=Level.HALT.value,
    )
    scope = serializers.CharField(max_length=64, default=GLOBAL, help_text=_SCOPES)
    reason = serializers.CharField(max_length=500)


class RearmInput(StrictSerializer):
    """Why it is safe again."""

    reason = serializers.CharField(max_length=500)
    reset_drawdown = serializers.BooleanField(
        default=False, help_text="Start a new high-water mark at the present equity"
    )
    scope = serializers.CharField(max_length=64, default=GLOBAL, help_text=_SCOPES)


class LimitsView(APIView):
    """The limits in force."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return the limits; fractions are of 1."""
        return Response(_limits_body())

    @extend_schema(request=LimitsInput, responses=OpenApiTypes.OBJECT)
    def put(self, request: Request) -> Response:
        """Change limits, with a reason."""
        data = _validated(LimitsInput, request)
        reason, version = data.pop("reason"), data.pop("version", None)
        save_limits(
            changes=data,
            actor=request.user.get_username(),
            reason=reason,
            now=get_clock().now(),
            expected_version=version,
        )
        return Response(_limits_body())


class StateView(APIView):
    """The kill switch, its last changes and the last refused orders."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        """Return the present state."""
        return Response(_state_body())


class HaltView(APIView):
    """Raise the kill switch. Never throttled, needs only the database."""

    throttle_classes: list[Any] = []

    @extend_schema(request=HaltInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Raise the level; one that is not above the present changes nothing."""
        data = _validated(HaltInput, request)
        trading_state.raise_level(
            level=Level(data["level"]),
            reason=data["reason"],
            actor=request.user.get_username(),
            now=get_clock().now(),
            scope=parse_scope(data["scope"]),
        )
        return Response(_state_body())


class RearmView(APIView):
    """Take the kill switch back to ACTIVE."""

    @extend_schema(request=RearmInput, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request) -> Response:
        """Re-arm, with a reason; 202: asked for, a second person must do the same."""
        data = _validated(RearmInput, request)
        clock = get_clock()
        state = rearm_trading(
            reason=data["reason"],
            actor=request.user.get_username(),
            reset_drawdown=data["reset_drawdown"],
            now=clock.now(),
            scope=parse_scope(data["scope"]),
            lifetime=clock.protocol(REQUEST_LIFETIME),
        )
        is_done = state.level is Level.ACTIVE
        return Response(_state_body(), status=200 if is_done else 202)


class MetricsFilter(django_filters.FilterSet):
    """From when to when."""

    since = django_filters.IsoDateTimeFilter(field_name="timestamp", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="timestamp", lookup_expr="lt")

    class Meta:
        model = RiskMetrics
        fields = ["account_id"]


class MetricsView(ReadListView):
    """Equity over time, newest first."""

    queryset = list_metrics()
    ordering = ("-timestamp", "-id")
    filterset_class = MetricsFilter
    columns = {
        name: name
        for name in (
            "account_id",
            "timestamp",
            "equity",
            "cash",
            "exposure",
            "unrealized_pnl",
            "realized_pnl",
            "daily_pnl",
            "drawdown_fraction",
            "high_water_mark",
            "day_start_equity",
            "open_positions",
        )
    }


class VerdictFilter(django_filters.FilterSet):
    """Which verdicts."""

    class Meta:
        model = RiskVerdict
        fields = ["approved", "code", "symbol", "intent_key"]


class VerdictsView(ReadListView):
    """What the gate said, newest first."""

    queryset = RiskVerdict.objects.all()
    ordering = ("-created_at", "-id")
    filterset_class = VerdictFilter
    columns = {
        name: name
        for name in (
            "intent_key",
            "symbol",
            "purpose",
            "side",
            "quantity",
            "approved",
            "code",
            "limit",
            "value",
            "checks",
            "epoch",
            "limits_version",
            "created_at",
        )
    }


def _validated(kind: type[StrictSerializer], request: Request) -> dict[str, Any]:
    serializer = kind(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _limits_body() -> dict[str, Any]:
    row = get_limits_row()
    if row is None:
        raise NotFound("there are no risk limits; PUT them, until then nothing may trade")
    limits = to_limits(row)
    body = {
        name: plain(number) if isinstance(number, Decimal) else number
        for name, number in export_limits(limits).items()
    }
    return {**body, "version": row.version, "updated_at": row.updated_at}


def _asked(epoch: int) -> dict[str, Any] | None:
    row = find_rearm_request(scope=GLOBAL, epoch=epoch, now=get_clock().now())
    if row is None:
        return None
    return {
        "asked_by": row.asked_by,
        "reason": row.reason,
        "asked_at": row.asked_at,
        "expires_at": row.expires_at,
    }


def _state_body() -> dict[str, Any]:
    states = trading_state.read_states()
    state = states.of()
    return {
        "level": state.level.value,
        "epoch": state.epoch,
        "is_running": state.is_running,
        "scopes": [
            {"scope": scope, "level": view.level.value, "epoch": view.epoch}
            for scope, view in states.raised(Level.REDUCE_ONLY).items()
            if scope != GLOBAL
        ],
        "rearm_request": _asked(state.epoch),
        "changes": list(
            list_state_changes()[:_RECENT].values(
                *("scope", "from_level", "to_level", "epoch", "is_running"),
                *("reason", "actor", "timestamp"),
            )
        ),
        "denials": list(
            list_denials()[:_RECENT].values(
                "intent_key", "symbol", "code", "limit", "value", "created_at"
            )
        ),
    }
