"""Admin for what the core keeps, and the mixin for ledgers."""

import json
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import DecimalField, Field, FloatField, JSONField
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin

from core.models import ApiToken, AuditRecord
from core.rest.encoding import plain
from core.tokens import issue_token, revoke_token


def _written(field: Field) -> Any:
    """Return a column that shows the field as text, or the field's name where Django does well."""
    write = next((write for kind, write in _WRITERS if isinstance(field, kind)), None)
    if write is None:
        return field.name

    @admin.display(description=field.verbose_name, ordering=field.name)
    def column(row: Any) -> Any:
        value = getattr(row, field.name)
        return None if value is None else write(value)

    # Django tells columns apart by name.
    column.__name__ = field.name
    return column


def _lines(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre class="desk-json">{}</pre>', text) if "\n" in text else text


_WRITERS: tuple[tuple[type[Field], Callable[[Any], str]], ...] = (
    (DecimalField, plain),
    (FloatField, "{:.6g}".format),
    (JSONField, _lines),
)


class ReadOnlyAdmin(ModelAdmin):
    """For ledger rows: seen by those who may, added and changed by nobody, never counted in full.

    Works against crafted POSTs too, since Django asks the same permissions for them.
    """

    show_full_result_count = False
    list_per_page = 50
    actions: Any = None

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._shown(name) for name in super().get_list_display(request)]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [self._shown(name) for name in super().get_fields(request, obj)]

    def _shown(self, name: Any) -> Any:
        """Return how a column is written: numbers without idle digits, JSON by lines."""
        fields = {field.name: field for field in self.model._meta.concrete_fields}
        return _written(fields[name]) if name in fields else name

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyAdmin):
    """Who did what, newest first."""

    list_display = ["sequence", "created_at", "actor", "action", "subject", "reason"]
    list_filter = ["action"]
    search_fields = ["actor", "subject", "reason"]
    ordering = ["-sequence"]


class ApiTokenForm(forms.ModelForm):
    """Asks for whom and for what; the token itself is made by us."""

    class Meta:
        model = ApiToken
        fields = ["user", "name", "can_write"]


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    """Issue a token (it is shown once), see when it was used, revoke it."""

    form = ApiTokenForm
    list_display = [
        "name",
        "prefix",
        "user",
        "can_write",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ]
    list_select_related = ["user"]
    ordering = ["-id"]
    actions = ["revoke"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The list needs the permission for its actions; a single token has nothing to edit.
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # A token acts as its user: only a superuser may make one for somebody else.
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = get_user_model().objects.filter(username=request.user.username)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        token, secret = issue_token(
            user=obj.user,
            name=obj.name,
            can_write=obj.can_write,
            now=timezone.now(),
            lifetime=settings.API_TOKEN_LIFETIME,
            actor=request.user.get_username(),
        )
        obj.pk = token.pk
        obj.prefix = token.prefix
        messages.warning(request, f"The token, shown only now: {secret}")

    @admin.action(description="Revoke the chosen tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        now = timezone.now()
        for token_id in queryset.values_list("id", flat=True):
            revoke_token(
                token_id=token_id,
                actor=request.user.get_username(),
                reason="revoked in the admin",
                now=now,
            )
        messages.success(request, "Revoked.")
