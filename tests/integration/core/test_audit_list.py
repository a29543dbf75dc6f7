from datetime import UTC, datetime

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from core import audit

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def client_of(**user):
    client = APIClient()
    client.force_authenticate(get_user_model().objects.create_user("ann", **user))
    return client


def test_it_shows_acts_the_newest_first():
    audit.record(actor="ann", action="risk.halt", subject="account:1", reason="odd", now=NOW)
    audit.record(actor="bob", action="risk.rearm", subject="account:1", now=NOW)
    client = client_of(is_superuser=True)

    rows = client.get("/audit").json()["results"]
    of_ann = client.get("/audit?actor=ann").json()["results"]

    assert [row["action"] for row in rows] == ["risk.rearm", "risk.halt"]
    assert [row["reason"] for row in of_ann] == ["odd"]
    assert rows[0]["timestamp"] == "2026-03-01T12:00:00Z"


def test_it_is_only_for_those_who_may_read_the_trail():
    reply = client_of().get("/audit")

    assert reply.status_code == 403
    assert reply.json()["code"]
    assert APIClient().get("/audit").status_code == 401
