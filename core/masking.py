"""Keep secrets out of anything that is written down."""

import re
import threading
from typing import Any

MASK = "•••"
# Shorter ones would blank out ordinary words.
_MINIMUM_LENGTH = 6
_lock = threading.Lock()
_secrets: tuple[str, ...] = ()
_pattern: re.Pattern[str] | None = None

SECRET_NAMES = (
    "api_key",
    "apikey",
    "api_secret",
    "apisecret",
    "secret",
    "secret_key",
    "signature",
    "x-mbx-apikey",
    "master_password",
    "password",
    "passwd",
    "token",
    "api_token",
    "authorization",
    "totp",
    "dek",
    "kek",
    "dsn",
    "sentry_dsn",
    "database_url",
    "redis_url",
    "target",
    "webhook",
    "cookie",
    "sessionid",
    "csrftoken",
)
_IN_TEXT = (
    # …?signature=abc&… and apiKey: "abc"
    re.compile(
        r"""(?ix)\b(signature|apikey|api_key|api_secret|secret_key|x-mbx-apikey|master_password
        |password|token)(["']?\s*[=:]\s*["']?)([^\s&"',;)}\]]+)"""
    ),
    re.compile(r"(?i)\b(bearer)(\s+)([\w.~+/=-]{8,})"),
    # scheme://user:password@host
    re.compile(r"(\w+://[^\s:/@]*)(:)([^\s@/]+)(?=@)"),
)
_WEBHOOKS = re.compile(
    r"(https?://(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks|"
    r"api\.telegram\.org)/)[^\s\"'?]+"
)


def register_secret(value: str) -> None:
    """Have `value` masked from now on wherever text passes ``mask_text``, in this process."""
    global _secrets, _pattern  # noqa: PLW0603 - one list per process
    if len(value) < _MINIMUM_LENGTH:
        return
    with _lock:
        if value not in _secrets:
            # The longest first, so that a secret holding another is masked whole.
            _secrets = tuple(sorted({*_secrets, value}, key=len, reverse=True))
            _pattern = re.compile("|".join(map(re.escape, _secrets)))


def mask_text(text: str) -> str:
    """Return `text` without registered secrets and without what looks like one."""
    if _pattern is not None:
        text = _pattern.sub(MASK, text)
    for pattern in _IN_TEXT:
        text = pattern.sub(rf"\1\2{MASK}", text)
    return _WEBHOOKS.sub(rf"\1{MASK}", text)


def mask(value: Any, *, depth: int = 8) -> Any:
    """Return a copy of `value` (mappings, lists, text) with secrets masked, by name and content."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, bytes):
        return mask_text(value.decode("utf-8", "replace"))
    if depth == 0 or value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, dict):
        return {
            name: MASK if _is_secret_name(name) and item else mask(item, depth=depth - 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return type(value)(mask(item, depth=depth - 1) for item in value)
    return value


def _is_secret_name(name: Any) -> bool:
    return isinstance(name, str) and name.lower().replace("-", "_") in _NAMES


_NAMES = frozenset(name.replace("-", "_") for name in SECRET_NAMES)
