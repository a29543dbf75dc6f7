"""Issue and revoke API tokens. Only a digest is stored: the token itself is shown once."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from core import audit
from core.errors import InvalidInput, NotFound
from core.models import ApiToken

PREFIX = "tsk_"
PREFIX_LENGTH = 12
MINIMUM_LENGTH = 16


def digest_of(secret: str) -> str:
    """Return what is stored in place of the token: its SHA-256, in hexadecimal.

    A plain hash is enough, for tokens are long and random, unlike passwords.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def issue_token(
    *,
    user: Any,
    name: str,
    now: datetime,
    lifetime: timedelta | None,
    actor: str,
    can_write: bool = True,
) -> tuple[ApiToken, str]:
    """Create a token for the client `name` and return its row and its text (never again)."""
    secret = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = _store(secret, user=user, name=name, now=now, lifetime=lifetime, write=can_write)
        audit.record(
            actor=actor,
            action="token.issue",
            subject=f"token:{token.pk}",
            after={"name": name, "user": user.get_username(), "can_write": can_write},
            now=now,
        )
    return token, secret


def seed_token(*, secret: str, user: Any, name: str, now: datetime) -> ApiToken:
    """Make `secret` (the ``API_TOKEN`` of the environment) a token of `user`; safe to repeat.

    Raises:
        InvalidInput: The text is too short or holds blanks.
    """
    if len(secret) < MINIMUM_LENGTH or len(secret.split()) != 1 or not secret.isascii():
        raise InvalidInput(
            f"API_TOKEN must have at least {MINIMUM_LENGTH} characters and no blanks.",
            field="API_TOKEN",
            fix="Run `manage.py create_env`: it writes a random one.",
        )
    known = ApiToken.objects.filter(digest=digest_of(secret)).first()
    if known is not None:
        return known
    return _store(secret, user=user, name=name, now=now, lifetime=None, write=True)


def revoke_token(*, token_id: int, actor: str, reason: str, now: datetime) -> None:
    """End a token at once; ending it again changes nothing."""
    with transaction.atomic():
        if not ApiToken.objects.filter(pk=token_id).exists():
            raise NotFound(f"There is no token {token_id}.", token_id=token_id)
        if ApiToken.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=now):
            audit.record(
                actor=actor,
                action="token.revoke",
                subject=f"token:{token_id}",
                reason=reason,
                now=now,
            )


def _store(
    secret: str, *, user: Any, name: str, now: datetime, lifetime: timedelta | None, write: bool
) -> ApiToken:
    return ApiToken.objects.create(
        user=user,
        name=name,
        prefix=secret[:PREFIX_LENGTH] if secret.startswith(PREFIX) else secret[:4],
        digest=digest_of(secret),
        can_write=write,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
