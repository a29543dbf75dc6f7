"""The last look at a request before its first byte leaves.

The control that Knight Capital lacked: what is about to be sent is compared with the record that
was written ahead of it. A request that changes something and was not announced is refused.
"""

from typing import Any
from urllib.parse import parse_qsl

from requests import PreparedRequest, Response

from core.errors import TradingError
from execution.domain.request import digest
from markets.adapters.taped_http import TapedAdapter

_CHANGING = frozenset({"POST", "PUT", "DELETE"})
# A timestamp made later than the write-ahead record said would outlive its fence.
_LATEST_MS = 50


class WireMismatch(TradingError):
    """The request differs from its write-ahead record; nothing was sent."""

    code = "WIRE_MISMATCH"


class WireCheckAdapter(TapedAdapter):
    """Transport that lets a changing request pass only if it was announced, and only once."""

    def __init__(self) -> None:
        super().__init__(max_retries=0)
        self._expected: tuple[str, int] | None = None

    def expect(self, request_sha256: str, *, signed_ms: int) -> None:
        """Announce the next changing request: its digest, and its timestamp at the latest."""
        self._expected = (request_sha256, signed_ms)

    def forget(self) -> None:
        """Withdraw the announcement."""
        self._expected = None

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        if request.method in _CHANGING:
            self._check(request)
        return super().send(request, *args, **kwargs)

    def _check(self, request: PreparedRequest) -> None:
        expected, self._expected = self._expected, None
        if expected is None:
            raise WireMismatch("a request that nobody announced was stopped")
        body = request.body or ""
        text = body.decode() if isinstance(body, bytes) else str(body)
        parameters = dict(parse_qsl(text, keep_blank_values=True))
        if digest(parameters) != expected[0]:
            raise WireMismatch("the request differs from its write-ahead record")
        if int(parameters.get("timestamp", "0")) > expected[1] + _LATEST_MS:
            raise WireMismatch("the request was signed later than its write-ahead record says")
