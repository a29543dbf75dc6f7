"""Every error of the API has one shape: ``{"code", "message", "context"}``."""

import logging
from typing import Any

from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.exceptions import ValidationError as ModelValidationError
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from core import errors

logger = logging.getLogger(__name__)

# The nearest class in the error's own line of descent counts.
STATUS_BY_ERROR: dict[type[errors.TradingError], int] = {
    errors.InvalidInput: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Denied: 422,
    errors.NeedsOperator: 503,
    errors.OrderRejected: 422,
    errors.TemporaryExchangeError: 503,
    errors.OutcomeUnknown: 504,
    errors.ExchangeError: 502,
    errors.TradingError: 500,
}
STATUS_BY_CODE = {"BODY_TOO_LARGE": 413}
CODE_BY_STATUS = {
    400: "INVALID_INPUT",
    401: "NOT_AUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    413: "BODY_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "THROTTLED",
}
FIX_BY_CODE = {
    "not_plain": 'Send a plain decimal string such as "0.015".',
    "float": 'Send the number in quotes, such as "0.015".',
    "required": "Add the field.",
    "unknown": "Remove the field.",
}
_MAX_ECHO = 100


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Return the response for any exception of a view; what we did not foresee is a logged 500."""
    request = context.get("request")
    if isinstance(error, errors.TradingError):
        return _for_trading_error(error)
    translated = _as_api_exception(error)
    if translated is None:
        return _for_unforeseen(error, context)
    headers = {}
    auth_header = getattr(translated, "auth_header", None)
    if auth_header:
        headers["WWW-Authenticate"] = auth_header
    wait_s = getattr(translated, "wait", None)
    details: dict[str, Any] = {}
    if wait_s:
        headers["Retry-After"] = f"{wait_s:.0f}"
        details["retry_after_s"] = round(wait_s)
    if isinstance(translated, exceptions.ValidationError):
        return _for_validation(translated, request)
    if isinstance(translated, exceptions.MethodNotAllowed):
        details["method"] = getattr(request, "method", None)
    status = translated.status_code
    code = str(getattr(translated.detail, "code", "")) if status in (401, 403) else ""
    code = code if code.isupper() else CODE_BY_STATUS.get(status, "API_ERROR")
    return _response(status, code, str(translated.detail), details, headers)


def error_body(error: errors.TradingError) -> dict[str, Any]:
    """Return the one shape for `error`; also used by WebSocket replies."""
    context = {name: _readable(value) for name, value in error.context.items()}
    return {"code": error.code, "message": error.message, "context": context}


def _readable(value: Any) -> Any:
    """Return a caller's own value as JSON can carry it: a number beyond 64 bits is told as text."""
    is_huge = isinstance(value, int) and not -(2**63) <= value < 2**63
    return str(value) if is_huge else value


def status_of(error: errors.TradingError) -> int:
    """Return the HTTP status that fits `error`."""
    if error.code in STATUS_BY_CODE:
        return STATUS_BY_CODE[error.code]
    return next(STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR)


def _for_trading_error(error: errors.TradingError) -> Response:
    status = status_of(error)
    if status >= 500:
        logger.warning("api.error code=%s status=%s %s", error.code, status, error.message)
    headers = {"Retry-After": "5"} if status == 503 else {}
    body = error_body(error)
    return _response(status, body["code"], body["message"], body["context"], headers)


def _as_api_exception(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        too_big = exceptions.APIException("The body is too large.")
        too_big.status_code = 413
        return too_big
    if isinstance(error, (SuspiciousOperation, BadRequest)):
        return exceptions.ParseError("The request is malformed.")
    if isinstance(error, ModelValidationError):
        return exceptions.ValidationError(exceptions._get_error_details(error.messages))
    return None


def _for_validation(error: exceptions.ValidationError, request: Any) -> Response:
    field, first = _first_problem(error.detail)
    context: dict[str, Any] = {"errors": error.detail}
    if field:
        context["field"] = field
        data = getattr(request, "_full_data", None)
        if isinstance(data, dict) and field in data:
            context["value"] = _echo(data[field])
    fix = FIX_BY_CODE.get(getattr(first, "code", ""))
    if fix:
        context["fix"] = fix
    message = f"{field}: {first}" if field else str(first)
    return _response(400, "INVALID_INPUT", message, context, {})


def _first_problem(detail: Any) -> tuple[str, Any]:
    """Return the dotted name of the first wrong field and what is wrong with it."""
    path: list[str] = []
    while isinstance(detail, (dict, list)):
        if not detail:
            return ".".join(path), "The input is invalid."
        if isinstance(detail, dict):
            name = next(iter(detail))
            if name != "non_field_errors":
                path.append(str(name))
            detail = detail[name]
        else:
            detail = next((item for item in detail if item), "The input is invalid.")
    return ".".join(path), detail


def _echo(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _MAX_ECHO else f"{text[:_MAX_ECHO]}…"


def _for_unforeseen(error: Exception, context: dict[str, Any]) -> Response:
    view = type(context.get("view")).__name__
    logger.error("api.failed view=%s", view, exc_info=error)
    if isinstance(error, OperationalError):
        return _response(
            503,
            "DATABASE_UNAVAILABLE",
            "Database connection failed. Try again; if it lasts, run `manage.py check_env`.",
            {},
            {"Retry-After": "5"},
        )
    return _response(500, "INTERNAL_ERROR", "Something went wrong here; it was logged.", {}, {})


def _response(
    status: int, code: str, message: str, context: dict[str, Any], headers: dict[str, str]
) -> Response:
    body = {"code": code, "message": message, "context": context}
    return Response(body, status=status, headers=headers)
