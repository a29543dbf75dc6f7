"""What a key store promises, and how secrets are carried without being shown."""

from collections.abc import Mapping
from typing import Any, NoReturn, Protocol

from core.errors import NeedsOperator

MASK = "•••"


class KeyStoreError(NeedsOperator):
    """The store cannot give or take secrets until a person acts."""

    code = "KEY_STORE_UNAVAILABLE"


class KeyMissing(NeedsOperator):
    """The store has no such secret."""

    code = "API_KEY_MISSING"


class WrongPassword(KeyStoreError):
    """``MASTER_PASSWORD`` is not the one the store was made with."""

    code = "KEY_STORE_PASSWORD"


class StoreCorrupt(KeyStoreError):
    """The store's content was damaged or altered."""

    code = "KEY_STORE_CORRUPT"


class Credentials:
    """An exchange key and its secret. Shows neither when printed, logged or pickled."""

    __slots__ = ("_key", "_secret")

    def __init__(self, *, api_key: str, api_secret: str) -> None:
        for name, value in (("api_key", api_key), ("api_secret", api_secret)):
            if not value or value != value.strip() or not value.isascii():
                raise ValueError(f"{name} must be plain text without blanks around it")
        self._key = api_key
        self._secret = api_secret

    @property
    def api_key(self) -> str:
        """The public half; still nothing to show."""
        return self._key

    @property
    def api_secret(self) -> str:
        """The half that signs."""
        return self._secret

    def __repr__(self) -> str:
        return f"Credentials(api_key={MASK}, api_secret={MASK})"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Credentials):
            return NotImplemented
        return (self._key, self._secret) == (other._key, other._secret)

    def __hash__(self) -> int:
        return hash((self._key, self._secret))

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("Credentials must not leave the process")


class KeyStore(Protocol):
    """Keeps named secrets; each is a small mapping of text to text."""

    def get(self, name: str) -> dict[str, str]:
        """Return the secret; raise ``KeyMissing`` or ``KeyStoreError``."""

    def put(self, name: str, fields: Mapping[str, str]) -> None:
        """Store or replace the secret."""

    def rotate(self) -> None:
        """Encrypt everything anew, under a new key."""

    def delete(self, name: str) -> None:
        """Remove the secret; raise ``KeyMissing`` when there is none."""

    def names(self) -> list[str]:
        """Return the names of what is stored, sorted."""
