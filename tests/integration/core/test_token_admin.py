import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from core import audit
from core.models import ApiToken, AuditRecord

pytestmark = pytest.mark.django_db
ADD = "/admin/core/apitoken/add/"


@pytest.fixture
def clerk():
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="core"))
    return user


def test_it_shows_the_token_once(admin_client, admin_user):
    form = {"user": admin_user.pk, "name": "script", "can_write": "on"}

    page = admin_client.post(ADD, form, follow=True)

    shown = re.search(r"tsk_[\w-]{40,}", page.content.decode())
    assert shown is not None
    assert ApiToken.objects.get().prefix == shown[0][:12]
    assert shown[0] not in admin_client.get("/admin/core/apitoken/").content.decode()


def test_a_clerk_makes_no_token_for_somebody_else(client, clerk, admin_user):
    client.force_login(clerk)

    client.post(ADD, {"user": admin_user.pk, "name": "mine now", "can_write": "on"})

    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("act", ["change", "delete"])
def test_nobody_changes_the_audit_trail_by_a_crafted_post(admin_client, act):
    row = audit.record(actor="ann", action="x", subject="y", now=datetime(2026, 3, 1, tzinfo=UTC))

    reply = admin_client.post(
        f"/admin/core/auditrecord/{row.pk}/{act}/", {"actor": "eve", "post": "yes"}
    )

    assert reply.status_code == 403
    assert AuditRecord.objects.get().actor == "ann"
