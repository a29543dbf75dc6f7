from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from core import tokens
from core.errors import InvalidInput
from core.models import ApiToken, AuditRecord

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)


class Hello(APIView):
    def get(self, request):
        return Response({"user": request.user.username})

    def post(self, request):
        return Response({"got": request.data})


@pytest.fixture
def user():
    return get_user_model().objects.create_user("ann")


def issue(user, **changes):
    arguments = {"name": "script", "now": NOW, "lifetime": timedelta(days=1), "actor": "ann"}
    return tokens.issue_token(user=user, **{**arguments, **changes})


def call(header=None, method="get", **extra):
    headers = {} if header is None else {"HTTP_AUTHORIZATION": header}
    request = getattr(APIRequestFactory(), method)("/hello", format="json", **headers, **extra)
    response = Hello.as_view()(request)
    response.render()
    return response


def test_it_lets_the_holder_of_a_token_in(user):
    _, secret = issue(user)

    response = call(f"Bearer {secret}")

    assert response.status_code == 200
    assert response.data == {"user": "ann"}


def test_it_stores_no_token_and_writes_an_audit_row(user):
    token, secret = issue(user)

    row = ApiToken.objects.values().get(pk=token.pk)
    audit_row = AuditRecord.objects.get()

    assert secret not in str(row)
    assert secret not in str(audit_row.after)
    assert audit_row.action == "token.issue"
    assert secret.startswith(token.prefix)


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Bearer  x",
        "Bearer a b",
        "Token abc",
        "Basic YTpi",
        "Bearer unknown",
        "Bearer \u00e4\u00f6",
        "Bearer " + "x" * 1_000_000,
        "Bearer \x00",
    ],
)
def test_it_answers_401_to_an_odd_header(header):
    response = call(header)

    assert response.status_code == 401
    assert set(response.data) == {"code", "message", "context"}
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


def test_it_answers_401_without_a_header():
    response = call()

    assert response.status_code == 401
    assert response.data["code"] == "NOT_AUTHENTICATED"


def test_it_refuses_an_expired_token_and_says_so(user):
    _, secret = issue(user, now=NOW - timedelta(days=2))

    response = call(f"Bearer {secret}")

    assert (response.status_code, response.data["code"]) == (401, "TOKEN_EXPIRED")


def test_it_refuses_a_revoked_token(user):
    token, secret = issue(user)
    tokens.revoke_token(token_id=token.pk, actor="ann", reason="lost", now=NOW)

    response = call(f"Bearer {secret}")

    assert (response.status_code, response.data["code"]) == (401, "TOKEN_REVOKED")


def test_it_refuses_the_token_of_a_disabled_user(user):
    _, secret = issue(user)
    user.is_active = False
    user.save()

    response = call(f"Bearer {secret}")

    assert (response.status_code, response.data["code"]) == (401, "USER_DISABLED")


def test_it_lets_a_reading_token_read_and_not_write(user):
    _, secret = issue(user, can_write=False)

    read = call(f"Bearer {secret}")
    write = call(f"Bearer {secret}", method="post")

    assert read.status_code == 200
    assert (write.status_code, write.data["code"]) == (403, "TOKEN_READ_ONLY")


def test_it_notes_the_use_at_most_once_a_minute(user, django_assert_num_queries):
    _, secret = issue(user)
    call(f"Bearer {secret}")
    first = ApiToken.objects.get().last_used_at

    with django_assert_num_queries(1):
        call(f"Bearer {secret}")

    assert first is not None
    assert ApiToken.objects.get().last_used_at == first


def test_it_seeds_the_token_of_the_environment_once(user):
    secret = "a-token-from-the-environment"

    first = tokens.seed_token(secret=secret, user=user, name="environment", now=NOW)
    second = tokens.seed_token(secret=secret, user=user, name="environment", now=NOW)

    assert first.pk == second.pk
    assert call(f"Bearer {secret}").status_code == 200


@pytest.mark.parametrize("secret", ["short", "has a blank in it here", "\u00fc" * 20])
def test_it_does_not_seed_a_weak_token(user, secret):
    with pytest.raises(InvalidInput, match="API_TOKEN"):
        tokens.seed_token(secret=secret, user=user, name="environment", now=NOW)
