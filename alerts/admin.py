"""Alerts, their channels and how each got there."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminPasswordWidget

from alerts.adapters.apprise_transport import AppriseTransport
from alerts.models import Alert, Channel, Delivery
from alerts.ports import SendFailed
from alerts.selectors import latest_alert_id
from alerts.services.channels import sealed, try_channel
from alerts.services.raising import acknowledge
from core import audit
from core.admin import ReadOnlyAdmin
from core.clock import get_clock
from core.errors import TradingError


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What happened, newest first; seen ones can be ticked off."""

    list_display = ["timestamp", "severity", "code", "message", "count", "acknowledged_at"]
    list_filter = ["severity", "code"]
    search_fields = ["code", "message"]
    ordering = ["-timestamp", "-id"]
    actions = ["acknowledge"]

    @admin.action(description="Mark as seen", permissions=["view"])
    def acknowledge(self, request: HttpRequest, queryset: Any) -> None:
        now = get_clock().now()
        for alert_id in queryset.values_list("id", flat=True):
            acknowledge(alert_id=alert_id, user_id=int(request.user.pk or 0), now=now)


class ChannelForm(forms.ModelForm):
    """The address goes in and never comes out again."""

    target = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "off"}),
        help_text="slack://…, tgram://TOKEN/CHAT, discord://ID/TOKEN, mailtos://USER:PW@HOST?to=…"
        " or an https webhook. Never shown again; leave empty to keep the present one.",
    )

    class Meta:
        model = Channel
        fields = ["name", "kind", "min_severity", "max_per_hour", "is_enabled"]

    def clean_target(self) -> str:
        target: str = self.cleaned_data["target"].strip()
        if not target and not self.instance.pk:
            raise forms.ValidationError("A new channel needs its address.")
        return target


@admin.register(Channel)
class ChannelAdmin(ModelAdmin):
    """Where alerts go."""

    form = ChannelForm
    list_display = ["name", "kind", "min_severity", "max_per_hour", "is_enabled"]
    ordering = ["name"]
    actions = ["send_test"]

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        target = form.cleaned_data["target"]
        if target:
            obj.sealed_target = sealed(target)
        if not change or (obj.is_enabled and "is_enabled" in form.changed_data):
            # It begins with what happens from now on, not with what it missed.
            obj.after_alert_id = latest_alert_id()
        super().save_model(request, obj, form, change)
        audit.record(
            actor=request.user.get_username(),
            action="channel.change" if change else "channel.add",
            subject=f"channel:{obj.pk}",
            after={
                "name": obj.name,
                "kind": obj.kind,
                "min_severity": obj.min_severity,
                "is_enabled": obj.is_enabled,
                "new_target": bool(target),
            },
            now=get_clock().now(),
        )

    @admin.action(description="Send a test message", permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: Any) -> None:
        for channel in queryset:
            try:
                try_channel(
                    channel_id=channel.pk,
                    transport=AppriseTransport(),
                    actor=request.user.get_username(),
                    now=timezone.now(),
                )
            except (SendFailed, TradingError) as error:
                messages.error(request, f"{channel.name}: {error}")
            else:
                messages.success(request, f"{channel.name}: sent.")


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """How each alert got to each channel."""

    list_display = ["created_at", "alert", "channel", "state", "attempts", "last_error", "sent_at"]
    list_select_related = ["alert", "channel"]
    list_filter = ["state", "channel"]
    ordering = ["-id"]
