import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from core import errors
from core.drf import ExactDecimal, StrictSerializer


class OrderInput(StrictSerializer):
    quantity = ExactDecimal()


class Thrower(APIView):
    authentication_classes = []
    permission_classes = []
    error = None

    def get(self, request):
        raise self.error

    def post(self, request):
        form = OrderInput(data=request.data)
        form.is_valid(raise_exception=True)
        return Response(form.data)


def answer_to(error):
    response = Thrower.as_view(error=error)(APIRequestFactory().get("/x"))
    response.render()
    return response


def answer_to_post(body, content_type="application/json"):
    request = APIRequestFactory().post("/x", body, content_type=content_type)
    response = Thrower.as_view()(request)
    response.render()
    return response


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidInput("x"), 400, "INVALID_INPUT"),
        (errors.NotFound("x"), 404, "NOT_FOUND"),
        (errors.Conflict("x"), 409, "CONFLICT"),
        (errors.Denied("x"), 422, "DENIED"),
        (errors.NeedsOperator("x"), 503, "NEEDS_OPERATOR"),
        (errors.OrderRejected("x"), 422, "ORDER_REJECTED"),
        (errors.TemporaryExchangeError("x"), 503, "EXCHANGE_TEMPORARY"),
        (errors.OutcomeUnknown("x"), 504, "OUTCOME_UNKNOWN"),
        (errors.ExchangeError("x"), 502, "EXCHANGE_ERROR"),
        (Http404("x"), 404, "NOT_FOUND"),
        (PermissionDenied("x"), 403, "PERMISSION_DENIED"),
        (SuspiciousOperation("x"), 400, "INVALID_INPUT"),
        (exceptions.UnsupportedMediaType("text/x"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (exceptions.Throttled(wait=7), 429, "THROTTLED"),
        (exceptions.NotAuthenticated(), 403, "PERMISSION_DENIED"),
        (OperationalError("the password is hunter2"), 503, "DATABASE_UNAVAILABLE"),
        (KeyError("the password is hunter2"), 500, "INTERNAL_ERROR"),
    ],
)
def test_it_gives_every_error_one_shape(error, status, code):
    response = answer_to(error)

    assert response.status_code == status
    assert set(response.data) == {"code", "message", "context"}
    assert response.data["code"] == code
    assert "hunter2" not in response.rendered_content.decode()


def test_it_says_when_to_come_back():
    assert answer_to(exceptions.Throttled(wait=7))["Retry-After"] == "7"


def test_it_keeps_the_context_of_our_own_errors():
    response = answer_to(errors.Denied("too big", limit="100", value="200"))

    assert response.data["context"] == {"limit": "100", "value": "200"}


def test_it_can_tell_of_a_number_that_json_cannot_carry():
    response = answer_to(errors.NotFound("There is no such backtest.", backtest_id=2**64))

    assert response.status_code == 404
    assert response.data["context"] == {"backtest_id": "18446744073709551616"}


def test_it_logs_what_nobody_foresaw(caplog):
    answer_to(ZeroDivisionError("oops"))

    assert "api.failed view=Thrower" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_it_names_field_value_and_fix():
    response = answer_to_post('{"quantity": 0.1}')

    assert response.status_code == 400
    assert response.data["message"].startswith("quantity: ")
    assert response.data["context"]["field"] == "quantity"
    assert response.data["context"]["value"] == "0.1"
    assert "quotes" in response.data["context"]["fix"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("", "application/json", 400),
        ("[", "application/json", 400),
        ("a=b", "application/x-www-form-urlencoded", 415),
        ('{"quantity": "1", "role": "admin"}', "application/json", 400),
        ('{"quantity": "' + "1" * 2_000_000 + '"}', "application/json", 413),
    ],
)
def test_it_answers_bad_bodies_in_the_same_shape(body, content_type, status):
    response = answer_to_post(body, content_type)

    assert response.status_code == status
    assert set(response.data) == {"code", "message", "context"}
    assert len(response.rendered_content) < 1000


def test_it_answers_a_wrong_method():
    request = APIRequestFactory().put("/x", {}, format="json")

    response = Thrower.as_view()(request)

    assert (response.status_code, response.data["code"]) == (405, "METHOD_NOT_ALLOWED")
