"""The exchange's replies on tape: recorded as they came, and given again when it is replayed.

No secret gets there: the key travels in a header that is left out, the signature is cut off. The
SHA-256 of the whole request with its signature is kept beside it.
"""

import base64
import hashlib
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from requests import PreparedRequest, Response, exceptions
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from core.recording import tape

_UNSAID = frozenset({"signature"})
# They say when it was asked, to the millisecond, and the same request is never asked twice alike.
_MOMENTS = frozenset({"timestamp"})
_HEADERS = ("content-type", "retry-after", "x-mbx-used-weight-1m")


class TapedAdapter(HTTPAdapter):
    """Sends, or is told what was answered; with no tape at work it only sends."""

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if tape.active() is None:
            return super().send(request, *args, **kwargs)
        send = partial(super().send, request, *args, **kwargs)
        return _response(tape.exchange(_asked(request), partial(_answered, send)), request)


def _asked(request: PreparedRequest) -> dict[str, Any]:
    parts = urlsplit(request.url or "")
    body = request.body or b""
    text = body.decode() if isinstance(body, bytes) else str(body)
    pairs = parse_qsl(parts.query, keep_blank_values=True) + parse_qsl(text, keep_blank_values=True)
    whole = f"{request.url}\n{text}".encode()
    return {
        "method": request.method,
        "path": parts.path,
        "parameters": [list(pair) for pair in pairs if pair[0] not in _UNSAID | _MOMENTS],
        "at": [value for name, value in pairs if name in _MOMENTS],
        "sha256": hashlib.sha256(whole).hexdigest(),
    }


def _answered(send: Any) -> dict[str, Any]:
    try:
        response = send()
        body = response.content
    except exceptions.RequestException as error:
        return {"error": type(error).__name__, "is_unconnected": _is_unconnected(error)}
    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    try:
        text: dict[str, str] = {"body": body.decode()}
    except UnicodeDecodeError:
        text = {"body_base64": base64.b64encode(body).decode()}
    return {"status": response.status_code, "headers": headers, **text}


def _is_unconnected(error: Exception) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def _response(answer: dict[str, Any], request: PreparedRequest) -> Response:
    """Return what python-binance reads.

    Raises:
        RequestException: Of the recorded kind.
    """
    if "error" in answer:
        kind = getattr(exceptions, answer["error"], exceptions.RequestException)
        if answer["is_unconnected"]:
            reason = NewConnectionError(None, "recorded")  # type: ignore[arg-type]
            raise kind(MaxRetryError(None, request.url or "", reason))  # type: ignore[arg-type]
        raise kind("recorded")
    response = Response()
    response.status_code = answer["status"]
    response.headers.update(answer["headers"])
    response.url = request.url or ""
    response.request = request
    if "body" in answer:
        response._content = answer["body"].encode()
    else:
        response._content = base64.b64decode(answer["body_base64"])
    return response
