"""The audit trail by REST: who did what, when and why."""

from django_filters import rest_framework as filters
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from core.models import AuditRecord
from core.rest.views import ReadListView


class AuditFilter(filters.FilterSet):
    """Filters such as ``?actor=ann&action=risk.halt&since=2026-03-01T00:00:00Z``."""

    since = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="gte")
    until = filters.IsoDateTimeFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = AuditRecord
        fields = ["actor", "action", "subject"]


class MayReadAudit(IsAuthenticated):
    """Only those who may see the audit trail in the admin see it here."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and request.user.has_perm(
            "core.view_auditrecord"
        )


class AuditListView(ReadListView):
    """Acts of persons and of the system, the newest first; `hash` chains each to the one before."""

    permission_classes = [MayReadAudit]
    queryset = AuditRecord.objects.all()
    filterset_class = AuditFilter
    ordering = "-sequence"
    columns = {
        "sequence": "sequence",
        "actor": "actor",
        "action": "action",
        "subject": "subject",
        "before": "before",
        "after": "after",
        "reason": "reason",
        "timestamp": "created_at",
        "hash": "hash",
    }
