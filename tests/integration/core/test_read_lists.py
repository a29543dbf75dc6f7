import base64
from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings
from django.urls import path
from rest_framework.test import APIClient

from core import audit
from core.models import AuditRecord
from core.rest.views import ReadListView

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]
START = datetime(2026, 3, 1, tzinfo=UTC)


class Rows(ReadListView):
    authentication_classes = []
    permission_classes = []
    queryset = AuditRecord.objects.all()
    columns = {"number": "sequence", "who": "actor", "at": "created_at"}
    ordering = ("-created_at", "-id")


urlpatterns = [path("rows", Rows.as_view())]


@pytest.fixture
def ten_rows():
    for number in range(10):
        # pairs of equal times: a page must not lose or repeat a row at such a tie
        at = START + timedelta(minutes=number // 2)
        audit.record(actor=f"a{number}", action="x", subject="y", now=at)


def get(**query):
    return APIClient().get("/rows", query)


def test_it_walks_all_rows_once_newest_first(ten_rows):
    seen, cursor = [], ""
    while cursor is not None:
        page = get(limit=3, **({"cursor": cursor} if cursor else {})).json()
        seen += [row["number"] for row in page["results"]]
        cursor = page["cursor"]

    assert seen == list(range(10, 0, -1))


def test_it_writes_times_in_iso_utc(ten_rows):
    row = get(limit=1).json()["results"][0]

    assert row == {"number": 10, "who": "a9", "at": "2026-03-01T00:04:00Z"}


def test_it_costs_one_query_per_page(ten_rows, django_assert_num_queries):
    with django_assert_num_queries(1):
        get(limit=3)


def test_its_next_link_leads_on(ten_rows):
    first = get(limit=4).json()

    second = APIClient().get(first["next"]).json()

    assert [row["number"] for row in second["results"]] == [6, 5, 4, 3]


def test_new_rows_do_not_shift_the_pages(ten_rows):
    first = get(limit=4).json()
    audit.record(actor="new", action="x", subject="y", now=START + timedelta(days=1))

    second = APIClient().get(first["next"]).json()

    assert second["results"][0]["number"] == 6


@pytest.mark.parametrize("limit", ["0", "-1", "501", "1e9", "abc", "", "9" * 50, "\uff11", "1.5"])
def test_it_refuses_an_odd_limit(limit):
    response = get(limit=limit)

    assert response.status_code == 400
    assert response.json()["context"]["field"] == "limit"


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "\u00e4",
        "A" * 2000,
        *(
            base64.urlsafe_b64encode(text).decode()
            for text in (
                b"[]",
                b"{}",
                b'["2026-03-01T00:00:00Z"]',
                b'["2026-03-01T00:00:00",1]',
                b'["now",1]',
                b'["2026-03-01T00:00:00Z",99999999999999999999999]',
                b'["2026-03-01T00:00:00Z",null]',
                b'["2026-03-01T00:00:00Z",[1]]',
                b'[1,"1;DROP TABLE"]',
                b"\xff\xfe",
            )
        ),
    ],
)
def test_it_refuses_a_cursor_it_did_not_give_out(ten_rows, cursor):
    response = get(cursor=cursor)

    assert response.status_code == 400
    assert response.json()["context"]["field"] == "cursor"


@override_settings(DEBUG=False)
def test_it_refuses_nul_in_a_query():
    assert get(who="a\x00b").status_code == 400
