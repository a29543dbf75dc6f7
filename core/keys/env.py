"""Secrets from the environment: ``BINANCE_API_KEY`` and ``BINANCE_API_SECRET``.

The environment *is* this store's storage, so it alone reads it outside the settings.
"""

import os
from collections.abc import Mapping

from core.keys.base import KeyMissing, KeyStoreError

_FIELDS = {"api_key": "API_KEY", "api_secret": "API_SECRET"}
_PLACEHOLDERS = ("your-", "your_", "changeme", "change-me", "<", "xxx")


class EnvKeyStore:
    """Reads ``<NAME>_API_KEY`` and ``<NAME>_API_SECRET``; it cannot be written to."""

    def get(self, name: str) -> dict[str, str]:
        return {field: self._read(name, suffix) for field, suffix in _FIELDS.items()}

    def put(self, name: str, fields: Mapping[str, str]) -> None:
        raise self._read_only()

    def rotate(self) -> None:
        raise self._read_only()

    def delete(self, name: str) -> None:
        raise self._read_only()

    def names(self) -> list[str]:
        ending = "_" + _FIELDS["api_key"]
        return sorted(
            variable.removesuffix(ending).lower()
            for variable in os.environ
            if variable.endswith(ending)
            and os.environ.get(variable.removesuffix(ending) + "_" + _FIELDS["api_secret"])
        )

    @staticmethod
    def _read(name: str, suffix: str) -> str:
        variable = f"{name.upper()}_{suffix}"
        value = os.environ.get(variable, "").strip().strip("\ufeff'\"")
        if not value:
            raise KeyMissing(
                f"API key invalid: {variable} is not set.",
                variable=variable,
                fix=f"Set {variable} in .env, or KEY_STORE=file and run "
                f"`manage.py keys set {name}`.",
            )
        if value.lower().startswith(_PLACEHOLDERS):
            raise KeyMissing(
                f"API key invalid: {variable} still holds the example's text.",
                variable=variable,
                fix=f"Put the exchange's own value into {variable} in .env.",
            )
        return value

    @staticmethod
    def _read_only() -> KeyStoreError:
        return KeyStoreError(
            "KEY_STORE=env keeps secrets in the environment, which this program does not write.",
            fix="Edit .env yourself, or set KEY_STORE=file.",
        )
