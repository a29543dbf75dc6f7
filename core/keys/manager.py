"""The only source of exchange keys. They stay in this process and are never shown."""

import threading
from functools import lru_cache

from django.conf import settings

from core.errors import NeedsOperator
from core.keys.base import Credentials, KeyMissing, KeyStore
from core.keys.env import EnvKeyStore
from core.masking import register_secret

EXCHANGE = "binance"
_lock = threading.Lock()
_cache: dict[str, Credentials] = {}


def get_credentials(name: str = EXCHANGE) -> Credentials:
    """Return the key pair stored under `name`; read once per process.

    Raises:
        KeyMissing: There is none, or it cannot be one; the message begins "API key invalid".
        KeyStoreError: The store itself cannot be read; the context names the fix.
    """
    with _lock:
        if name not in _cache:
            _cache[name] = _load(name)
        return _cache[name]


def forget_credentials() -> None:
    """Drop what is cached, so that the next use reads the store again."""
    with _lock:
        _cache.clear()
        get_store.cache_clear()


@lru_cache(maxsize=1)
def get_store() -> KeyStore:
    """Return the store that ``KEY_STORE`` names."""
    if settings.KEY_STORE == "env":
        return EnvKeyStore()
    if settings.KEY_STORE == "file":
        from core.keys.encrypted_file import EncryptedFileKeyStore

        return EncryptedFileKeyStore(path=settings.KEY_FILE, password=settings.MASTER_PASSWORD)
    raise NeedsOperator(
        f"KEY_STORE={settings.KEY_STORE} is not known.", fix="Set KEY_STORE to env or file."
    )


def _load(name: str) -> Credentials:
    fields = get_store().get(name)
    try:
        credentials = Credentials(api_key=fields["api_key"], api_secret=fields["api_secret"])
    except (KeyError, ValueError) as error:
        raise KeyMissing(
            f"API key invalid: what is stored under {name!r} is not a key pair ({error}).",
            name=name,
            fix=f"Store it again: `manage.py keys set {name}`.",
        ) from None
    register_secret(credentials.api_key)
    register_secret(credentials.api_secret)
    return credentials
