"""Who is calling: ``Authorization: Bearer <token>``."""

import hmac
import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from core.models import ApiToken
from core.tokens import digest_of

logger = logging.getLogger(__name__)

MAX_HEADER_LENGTH = 512
# A write per request would cost more than it tells.
LAST_USED_EVERY = timedelta(minutes=1)


class BearerTokenAuthentication(BaseAuthentication):
    """Accepts tokens that are known by digest, not expired, not revoked, of an active user.

    Token times are wall time: they are promises to people, not to the market.
    """

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        """Return the token's user and the token; None without an ``Authorization`` header."""
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        token = find_token(read_header(header), now=timezone.now())
        if not token.can_write and request.method not in SAFE_METHODS:
            raise PermissionDenied("This token may only read.", code="TOKEN_READ_ONLY")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return f'{self.keyword} realm="api"'


def find_token(secret: str, *, now: datetime) -> ApiToken:
    """Return the valid token whose text is `secret`, noting its use.

    Raises:
        AuthenticationFailed: Unknown, expired or revoked token, or a user that is disabled.
    """
    digest = digest_of(secret)
    token = ApiToken.objects.select_related("user").filter(digest=digest).first()
    if token is None or not hmac.compare_digest(token.digest, digest):
        raise AuthenticationFailed("The token is unknown.", code="TOKEN_UNKNOWN")
    if token.revoked_at is not None:
        raise AuthenticationFailed("The token was revoked.", code="TOKEN_REVOKED")
    if token.expires_at is not None and token.expires_at <= now:
        raise AuthenticationFailed(
            f"The token expired at {token.expires_at.isoformat()}.", code="TOKEN_EXPIRED"
        )
    if not token.user.is_active:
        raise AuthenticationFailed("The token's user is disabled.", code="USER_DISABLED")
    _note_use(token, now=now)
    return token


def is_valid_token(token_id: int, *, now: datetime) -> bool:
    """Tell whether a token that opened a connection would still open one."""
    fresh = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    tokens = ApiToken.objects.filter(fresh, pk=token_id, revoked_at=None, user__is_active=True)
    return tokens.exists()


def read_header(header: str) -> str:
    """Return the token in an ``Authorization`` header.

    Raises:
        AuthenticationFailed: It has another form.
    """
    if len(header) > MAX_HEADER_LENGTH:
        raise AuthenticationFailed("The Authorization header is too long.", code="HEADER_ODD")
    parts = header.split(" ")
    if len(parts) != 2 or parts[0].lower() != "bearer" or not parts[1] or not header.isascii():
        raise AuthenticationFailed(
            "The Authorization header must read: Bearer <token>.", code="HEADER_ODD"
        )
    return parts[1]


def _note_use(token: ApiToken, *, now: datetime) -> None:
    if token.last_used_at is not None and now - token.last_used_at < LAST_USED_EVERY:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_EVERY)
    try:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
    except DatabaseError:
        # A database that cannot be written must not shut out the one who presses halt.
        logger.warning("token.use_not_noted token_id=%s", token.pk)
