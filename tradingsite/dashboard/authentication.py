"""Who opens a WebSocket: a browser with a Django session, or a script with a bearer token."""

from importlib import import_module
from typing import Any

from channels.auth import AuthMiddlewareStack, get_user
from channels.db import database_sync_to_async
from channels.security.websocket import AllowedHostsOriginValidator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from core.rest.authentication import find_token, is_valid_token, read_header


class LiveAuthentication:
    """Give the scope a user.

    A browser sends its session cookie by itself, to whichever page asks: there the ``Origin`` must
    be ours. A bearer token is only ever sent on purpose, so scripts need no ``Origin``.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._by_session = AllowedHostsOriginValidator(AuthMiddlewareStack(inner))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        header = dict(scope["headers"]).get(b"authorization")
        if header is None:
            return await self._by_session(scope, receive, send)
        token = await _find_token(header.decode("latin-1"))
        user = AnonymousUser() if token is None else token.user
        token_id = None if token is None else token.pk
        return await self._inner({**scope, "user": user, "token_id": token_id}, receive, send)


async def is_still_allowed(scope: dict[str, Any]) -> bool:
    """Tell whether what opened the connection would open it now.

    A token that was revoked or has expired, a session that was ended, a changed password and a
    disabled user all say no.
    """
    if scope.get("token_id") is not None:
        valid = database_sync_to_async(is_valid_token)
        return bool(await valid(scope["token_id"], now=timezone.now()))
    # A new store reads the session anew; the one in the scope remembers what it was.
    store = import_module(settings.SESSION_ENGINE).SessionStore(scope["session"].session_key)
    user = await get_user({"session": store})
    return bool(user.is_authenticated)


@database_sync_to_async
def _find_token(header: str) -> Any:
    try:
        return find_token(read_header(header), now=timezone.now())
    except AuthenticationFailed:
        return None
