"""Who sent a request, and when: API key, signature, timestamp."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from simexchange.clock import SimClock
from simexchange.engine.accounts import Account, Credential
from simexchange.errors import ApiError
from simexchange.faces.params import missing

DEFAULT_WINDOW_MS = 5000.0
LARGEST_WINDOW_MS = 60000.0
AHEAD_MS = 1000.0
MICROSECONDS = 10**14
"""A larger timestamp is in microseconds: in milliseconds it would be the year 5138."""

_SIGNATURE = re.compile(rb"(?:^|&)signature=[^&]*")
_STAMP = re.compile(r"[0-9]{1,19}")
_WINDOW = re.compile(r"^[0-9]{1,5}(\.[0-9]{1,3})?$")


_KEY = re.compile(r"^[A-Za-z0-9_-]{1,128}$")


class Accounts(Protocol):
    """Finds an account by its API key."""

    by_key: dict[str, Account]


def find_key(accounts: Accounts, key: str, *, trades: bool = False) -> tuple[Account, Credential]:
    """Return the key's account and the key.

    Raises:
        ApiError: -2014 without a key that looks like one, -2015 with one nobody issued or that may
            not trade.
    """
    if not _KEY.fullmatch(key):
        raise ApiError(-2014, "API-key format invalid.", 401)
    account = accounts.by_key.get(key)
    if account is None or (trades and not account.credentials[key].can_trade):
        raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
    return account, account.credentials[key]


def rest_payload(query: bytes, body: bytes) -> bytes:
    """Return what was signed: raw query and raw body without their signature, no separator."""
    return _without_signature(query) + _without_signature(body)


def _without_signature(part: bytes) -> bytes:
    if b"signature=" not in part:
        return part
    rest = _SIGNATURE.sub(b"", part)
    return rest.removeprefix(b"&") if part.startswith(b"signature=") else rest


def socket_payload(params: Mapping[str, str]) -> bytes:
    """Return what was signed over the WebSocket API: all parameters sorted by name."""
    parts = (f"{name}={params[name]}" for name in sorted(params) if name != "signature")
    return "&".join(parts).encode()


def check_signature(key: Credential, payload: bytes, signature: str) -> None:
    """Compare the signature with the key's own.

    Raises:
        ApiError: -1102 when there is none, -1022 when it does not fit.
    """
    if not signature:
        raise missing("signature")
    if key.public_key:
        fits = _fits_public_key(key.public_key, payload, signature)
    else:
        expected = hmac.new(key.secret.encode(), payload, hashlib.sha256).hexdigest()
        fits = hmac.compare_digest(expected.encode(), signature.lower().encode())
    if not fits:
        raise ApiError(-1022, "Signature for this request is not valid.")


@lru_cache(maxsize=256)
def _read_public_key(pem: str) -> PublicKeyTypes:
    return load_pem_public_key(pem.encode())


def check_public_key(pem: str) -> None:
    """Refuse a PEM that is no RSA or Ed25519 public key.

    Raises:
        ValueError: it is something else.
    """
    try:
        key = _read_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        raise ValueError(
            f"public_key must be the PEM of an RSA or Ed25519 public key, was {pem[:40]!r}"
        )


def _fits_public_key(pem: str, payload: bytes, signature: str) -> bool:
    key = _read_public_key(pem)
    try:
        raw = base64.b64decode(unquote(signature), validate=True)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(raw, payload)
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(raw, payload, padding.PKCS1v15(), SHA256())
        else:
            return False
    except (InvalidSignature, binascii.Error):
        return False
    return True


def is_ed25519(pem: str) -> bool:
    """Say whether an account's public key is one of Ed25519, as a session log-on needs."""
    return bool(pem) and isinstance(load_pem_public_key(pem.encode()), ed25519.Ed25519PublicKey)


def check_time(params: Mapping[str, str], clock: SimClock, offset_ms: float = 0.0) -> None:
    """Hold the request's timestamp against the clock, in wall milliseconds.

    Args:
        params: with `timestamp` and perhaps `recvWindow`.
        clock: exchange time; `speed` turns a difference into wall milliseconds.
        offset_ms: what the server's clock is wrong by, in exchange milliseconds.

    Raises:
        ApiError: -1102 without a timestamp, -1021 outside the window.
    """
    stamp = params.get("timestamp", "")
    if not _STAMP.fullmatch(stamp):
        raise missing("timestamp")
    at = int(stamp)
    at_ms = at / 1000 if at > MICROSECONDS else float(at)
    window_ms = DEFAULT_WINDOW_MS
    if params.get("recvWindow"):
        if not _WINDOW.fullmatch(params["recvWindow"]):
            raise missing("recvWindow")
        window_ms = float(params["recvWindow"])
        if window_ms > LARGEST_WINDOW_MS:
            raise ApiError(
                -1102, "'recvWindow' contains unexpected value. Cannot be greater than 60000."
            )
    late_ms = (clock.now_ms() + offset_ms - at_ms) / clock.speed
    if late_ms <= -AHEAD_MS:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if late_ms > window_ms:
        raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")
