"""What the site answers outside of a view: the same error shape as everywhere."""

from typing import Any

from django.http import HttpRequest, JsonResponse


def bad_request(_request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request that Django itself refused."""
    return _answer(400, "INVALID_INPUT", "The request cannot be understood.")


def permission_denied(_request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request that is not allowed."""
    return _answer(403, "FORBIDDEN", "This is not allowed.")


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer an address that leads nowhere."""
    return _answer(404, "NOT_FOUND", "There is nothing here.", path=request.path[:200])


def server_error(_request: HttpRequest) -> JsonResponse:
    """Answer a failure of ours, without its internals; the log has them."""
    return _answer(500, "INTERNAL_ERROR", "Something failed here; the log says what.")


def _answer(status: int, code: str, message: str, **context: Any) -> JsonResponse:
    return JsonResponse({"code": code, "message": message, "context": context}, status=status)
