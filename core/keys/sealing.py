"""Seal short secrets that must lie in the database (webhook addresses) under ``SECRET_KEY``.

AES-256-GCM with a random nonce; the purpose is bound to the text, so that a sealed value cannot be
moved to another place. ``SECRET_KEY_FALLBACKS`` still open what older keys sealed.
"""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from core.keys.base import KeyStoreError

_VERSION = "v1"
_NONCE_BYTES = 12


def seal(text: str, *, purpose: str) -> str:
    """Return `text` encrypted for `purpose`."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(_key(settings.SECRET_KEY)).encrypt(nonce, text.encode(), purpose.encode())
    return f"{_VERSION}:{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, *, purpose: str) -> str:
    """Return what was sealed for `purpose`.

    Raises:
        KeyStoreError: Sealed under another ``SECRET_KEY``, for another purpose, or damaged.
    """
    version, _, body = sealed.partition(":")
    if version == _VERSION:
        for secret_key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
            try:
                raw = base64.urlsafe_b64decode(body)
                nonce, text = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
                return AESGCM(_key(secret_key)).decrypt(nonce, text, purpose.encode()).decode()
            except (InvalidTag, ValueError):
                continue
    raise KeyStoreError(
        "A sealed value cannot be opened: SECRET_KEY was changed or the value was altered.",
        purpose=purpose,
        fix="Put the former key into SECRET_KEY_FALLBACKS, or enter the value again.",
    )


def _key(secret_key: str | bytes) -> bytes:
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"trading.sealing.v1")
    return kdf.derive(secret_key.encode() if isinstance(secret_key, str) else secret_key)
