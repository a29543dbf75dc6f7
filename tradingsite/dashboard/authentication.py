"""Who opens a WebSocket: a browser with a Django session, or a script with a bearer token."""

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.security.websocket import AllowedHostsOriginValidator
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from core.rest.authentication import find_token, is_active_user, read_header


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
        user = await _find_user(header.decode("latin-1"))
        return await self._inner({**scope, "user": user}, receive, send)


@database_sync_to_async
def is_still_active(user_id: int) -> bool:
    """Tell whether the user still exists and may log in."""
    return is_active_user(user_id)


@database_sync_to_async
def _find_user(header: str) -> Any:
    try:
        return find_token(read_header(header), now=timezone.now()).user
    except AuthenticationFailed:
        return AnonymousUser()
