"""Secrets in one encrypted file, opened by ``MASTER_PASSWORD``.

Each secret has a random key of its own (AES-256-GCM); those keys are wrapped by one derived from
the password (scrypt). Name, file and parameters are bound to the text as associated data, so a
flipped bit, a swapped entry or weakened parameters are refused.
"""

import base64
import contextlib
import fcntl
import json
import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from core.keys.base import KeyMissing, KeyStoreError, StoreCorrupt, WrongPassword

FORMAT = "trading-keys-1"
SCRYPT = {"n": 2**17, "r": 8, "p": 1}
MAX_SCRYPT_N = 2**20
MIN_PASSWORD_LENGTH = 12
_NONCE, _KEY = 12, 32
_CHECK = b"the password is right"


class EncryptedFileKeyStore:
    """Keeps secrets in `path`, mode 0600, replaced as a whole at each change."""

    def __init__(self, *, path: Path, password: str, scrypt: Mapping[str, int] = SCRYPT) -> None:
        self._path = path
        # The same password typed on another keyboard must give the same bytes.
        self._password = unicodedata.normalize("NFC", password).encode()
        self._scrypt = dict(scrypt)
        self._keks: dict[bytes, bytes] = {}
        if len(password) < MIN_PASSWORD_LENGTH:
            raise KeyStoreError(
                f"MASTER_PASSWORD must have at least {MIN_PASSWORD_LENGTH} characters.",
                fix="Set it in the environment; `manage.py create_env` writes a random one.",
            )

    def get(self, name: str) -> dict[str, str]:
        content = self._read()
        if content is None or name not in content["secrets"]:
            raise _missing(name)
        return self._open(content, name, self._kek(content))

    def put(self, name: str, fields: Mapping[str, str]) -> None:
        with self._locked():
            content = self._read() or self._new()
            self._seal(content, name, dict(fields), self._kek(content))
            self._write(content)

    def rotate(self) -> None:
        with self._locked():
            old = self._read()
            if old is None:
                return
            kek = self._kek(old)
            secrets = {name: self._open(old, name, kek) for name in old["secrets"]}
            new = self._new()
            for name, fields in secrets.items():
                self._seal(new, name, fields, self._kek(new))
            self._write(new)

    def delete(self, name: str) -> None:
        with self._locked():
            content = self._read()
            if content is None or name not in content["secrets"]:
                raise _missing(name)
            self._kek(content)
            del content["secrets"][name]
            self._write(content)

    def names(self) -> list[str]:
        content = self._read()
        return [] if content is None else sorted(content["secrets"])

    def _new(self) -> dict[str, Any]:
        content: dict[str, Any] = {
            "format": FORMAT,
            "kdf": {"name": "scrypt", "salt": _text(os.urandom(16)), **self._scrypt},
            "secrets": {},
        }
        content["check"] = _encrypt(self._derive(content), _CHECK, _header(content))
        return content

    def _kek(self, content: dict[str, Any]) -> bytes:
        kek = self._derive(content)
        try:
            if _decrypt(kek, content["check"], _header(content)) == _CHECK:
                return kek
        except InvalidTag:
            pass
        raise WrongPassword(
            "API key invalid: MASTER_PASSWORD does not open the key file.",
            path=str(self._path),
            fix="Set the password the file was made with, or restore the file from a backup.",
        )

    def _derive(self, content: dict[str, Any]) -> bytes:
        kdf = content["kdf"]
        salt = _bytes(kdf["salt"])
        cache_key = salt + repr(sorted(kdf.items())).encode()
        if cache_key not in self._keks:
            derived = Scrypt(salt=salt, length=_KEY, n=kdf["n"], r=kdf["r"], p=kdf["p"])
            self._keks[cache_key] = derived.derive(self._password)
        return self._keks[cache_key]

    def _seal(self, content: dict[str, Any], name: str, fields: dict[str, str], kek: bytes) -> None:
        dek = AESGCM.generate_key(bit_length=256)
        bound = _header(content) + name.encode()
        content["secrets"][name] = {
            "key": _encrypt(kek, dek, bound + b"|key"),
            "text": _encrypt(dek, json.dumps(fields).encode(), bound + b"|text"),
        }

    def _open(self, content: dict[str, Any], name: str, kek: bytes) -> dict[str, str]:
        bound = _header(content) + name.encode()
        try:
            entry = content["secrets"][name]
            dek = _decrypt(kek, entry["key"], bound + b"|key")
            fields: dict[str, str] = json.loads(_decrypt(dek, entry["text"], bound + b"|text"))
        except (InvalidTag, KeyError, TypeError, ValueError):
            raise self._corrupt(f"the entry {name!r} was damaged or altered") from None
        return fields

    def _read(self) -> dict[str, Any] | None:
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyStoreError(
                f"The key file cannot be opened: {error.strerror}.", path=str(self._path)
            ) from None
        with os.fdopen(handle, "rb") as file:
            self._check_file(os.fstat(file.fileno()))
            raw = file.read(4_000_000)
        try:
            content = json.loads(raw)
            kdf = content["kdf"]
            is_known = content["format"] == FORMAT and kdf["name"] == "scrypt"
            is_strong = all(self._scrypt[part] <= kdf[part] for part in ("n", "r", "p"))
            is_sane = kdf["n"] <= MAX_SCRYPT_N and kdf["r"] <= 32 and kdf["p"] <= 8
            is_whole = isinstance(content["secrets"], dict) and isinstance(content["check"], str)
            _bytes(kdf["salt"])
        except (ValueError, KeyError, TypeError):
            raise self._corrupt("it is not a key file") from None
        if not (is_known and is_strong and is_sane and is_whole):
            raise self._corrupt("its head asks for parameters that are not accepted")
        return content

    def _check_file(self, info: os.stat_result) -> None:
        if not stat.S_ISREG(info.st_mode):
            raise KeyStoreError("The key file is not a regular file.", path=str(self._path))
        if info.st_uid != os.geteuid():
            raise KeyStoreError("The key file belongs to another user.", path=str(self._path))
        if stat.S_IMODE(info.st_mode) & 0o077:
            raise KeyStoreError(
                "The key file can be read by others.",
                path=str(self._path),
                fix=f"chmod 600 {self._path}; if others may have read it, replace the keys.",
            )

    def _write(self, content: dict[str, Any]) -> None:
        folder = self._path.parent
        draft = folder / f".{self._path.name}.{os.getpid()}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(json.dumps(content, indent=1).encode())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        folder_handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(folder_handle)
        finally:
            os.close(folder_handle)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, whatever the number of processes."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._path.with_name(f"{self._path.name}.lock")
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _corrupt(self, why: str) -> StoreCorrupt:
        return StoreCorrupt(
            f"API key invalid: the key file cannot be used, {why}.",
            path=str(self._path),
            fix="Restore it from a backup, or delete it and enter the keys again.",
        )


def _missing(name: str) -> KeyMissing:
    return KeyMissing(
        f"API key invalid: the key file holds nothing under {name!r}.",
        name=name,
        fix=f"Run `manage.py keys set {name}`.",
    )


def _header(content: dict[str, Any]) -> bytes:
    kdf = json.dumps(content["kdf"], sort_keys=True)
    return f"{content['format']}|{kdf}|".encode()


def _encrypt(key: bytes, text: bytes, bound: bytes) -> str:
    nonce = os.urandom(_NONCE)
    return _text(nonce + AESGCM(key).encrypt(nonce, text, bound))


def _decrypt(key: bytes, sealed: str, bound: bytes) -> bytes:
    raw = _bytes(sealed)
    return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], bound)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
