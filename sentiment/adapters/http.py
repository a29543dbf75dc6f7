"""One careful way to fetch public pages: bounded in time and size, asking only for what is new."""

import time

import requests

from sentiment.ports import SourceUnavailable

USER_AGENT = "trading-system/0.1 (self-hosted; sentiment collector)"
TIMEOUT_S = (4.0, 8.0)
TOTAL_S = 20.0
MAX_BYTES = 5_000_000


def fetch(
    url: str, *, etag: str = "", last_modified: str = "", params: dict[str, str] | None = None
) -> tuple[bytes | None, str, str]:
    """Return (body, etag, last_modified); the body is None when nothing changed.

    Raises:
        SourceUnavailable: No answer in time, an error status, or too large.
    """
    headers = {"User-Agent": USER_AGENT}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    started = time.monotonic()
    try:
        with requests.get(
            url, params=params, headers=headers, timeout=TIMEOUT_S, stream=True
        ) as reply:
            if reply.status_code == 304:
                return None, etag, last_modified
            if reply.status_code != 200:
                raise SourceUnavailable(f"answered {reply.status_code}")
            body = bytearray()
            for piece in reply.iter_content(65_536):
                body += piece
                if len(body) > MAX_BYTES:
                    raise SourceUnavailable(f"more than {MAX_BYTES} bytes")
                if time.monotonic() - started > TOTAL_S:
                    raise SourceUnavailable(f"took more than {TOTAL_S:.0f} s")
            return (
                bytes(body),
                reply.headers.get("ETag", "")[:200],
                reply.headers.get("Last-Modified", "")[:64],
            )
    except requests.RequestException as error:
        raise SourceUnavailable(type(error).__name__) from error
