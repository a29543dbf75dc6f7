import json
import pickle

import pytest

from core.keys.base import (
    Credentials,
    KeyMissing,
    KeyStoreError,
    StoreCorrupt,
    WrongPassword,
)
from core.keys.encrypted_file import EncryptedFileKeyStore

PASSWORD = "correct horse battery"
LIGHT = {"n": 2**10, "r": 8, "p": 1}  # the real strength is checked once, below
FIELDS = {"api_key": "k" * 20, "api_secret": "s3cr3t-of-the-exchange"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


def open_store(path, password=PASSWORD, scrypt=LIGHT):
    return EncryptedFileKeyStore(path=path, password=password, scrypt=scrypt)


def test_it_gives_back_what_was_put(path):
    open_store(path).put("binance", FIELDS)
    open_store(path).put("other", {"api_key": "a", "api_secret": "b"})

    assert open_store(path).get("binance") == FIELDS
    assert open_store(path).names() == ["binance", "other"]


def test_it_shows_no_secret_and_only_to_the_owner(path):
    open_store(path).put("binance", FIELDS)

    text = path.read_text()

    assert not any(secret in text for secret in FIELDS.values())
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_derives_the_key_at_full_strength_by_default(path):
    EncryptedFileKeyStore(path=path, password=PASSWORD).put("binance", FIELDS)

    kdf = json.loads(path.read_text())["kdf"]

    assert (kdf["name"], kdf["n"], kdf["r"]) == ("scrypt", 2**17, 8)


def test_it_says_that_there_is_no_such_key(path):
    store = open_store(path)
    with pytest.raises(KeyMissing, match="API key invalid"):
        store.get("binance")
    with pytest.raises(KeyMissing):
        store.delete("binance")


def test_it_tells_a_wrong_password_from_a_damaged_file(path):
    open_store(path).put("binance", FIELDS)
    with pytest.raises(WrongPassword):
        open_store(path, "another password").get("binance")

    path.write_text("{}")
    with pytest.raises(StoreCorrupt):
        open_store(path).get("binance")


def test_a_wrong_password_cannot_add_or_delete(path):
    open_store(path).put("binance", FIELDS)
    before = path.read_bytes()
    stranger = open_store(path, "another password")

    for act in (lambda: stranger.put("x", FIELDS), lambda: stranger.delete("binance")):
        with pytest.raises(WrongPassword):
            act()

    assert path.read_bytes() == before


def test_it_takes_a_password_typed_in_another_normal_form(path):
    open_store(path, "stra\u00dfe caf\u00e9 xyz").put("binance", FIELDS)

    assert open_store(path, "stra\u00dfe cafe\u0301 xyz").get("binance") == FIELDS


@pytest.mark.parametrize("part", ["key", "text"])
def test_it_refuses_a_flipped_bit(path, part):
    open_store(path).put("binance", FIELDS)
    content = json.loads(path.read_text())
    sealed = content["secrets"]["binance"][part]
    content["secrets"]["binance"][part] = ("A" if sealed[20] != "A" else "B").join(
        (sealed[:20], sealed[21:])
    )
    path.write_text(json.dumps(content))

    with pytest.raises(StoreCorrupt, match="damaged or altered"):
        open_store(path).get("binance")


def test_it_refuses_swapped_entries(path):
    store = open_store(path)
    store.put("one", FIELDS)
    store.put("two", {"api_key": "a", "api_secret": "b"})
    content = json.loads(path.read_text())
    secrets = content["secrets"]
    secrets["one"], secrets["two"] = secrets["two"], secrets["one"]
    path.write_text(json.dumps(content))

    with pytest.raises(StoreCorrupt):
        open_store(path).get("one")


@pytest.mark.parametrize(
    "change", [{"n": 2}, {"n": 2**30}, {"r": 1}, {"name": "none"}, {"salt": "%%"}, {"n": "x"}]
)
def test_it_refuses_other_parameters(path, change):
    open_store(path).put("binance", FIELDS)
    content = json.loads(path.read_text())
    content["kdf"].update(change)
    path.write_text(json.dumps(content))

    with pytest.raises(KeyStoreError):
        open_store(path).get("binance")


def test_it_refuses_a_file_that_others_can_read(path):
    open_store(path).put("binance", FIELDS)
    path.chmod(0o644)

    with pytest.raises(KeyStoreError, match="read by others"):
        open_store(path).get("binance")


def test_it_follows_no_symbolic_link(path, tmp_path):
    open_store(path).put("binance", FIELDS)
    link = tmp_path / "link.json"
    link.symlink_to(path)

    with pytest.raises(KeyStoreError, match="cannot be opened"):
        open_store(link).get("binance")


def test_rotating_changes_every_byte_of_secret_and_keeps_what_is_stored(path):
    open_store(path).put("binance", FIELDS)
    before = json.loads(path.read_text())

    open_store(path).rotate()

    after = json.loads(path.read_text())
    assert after["kdf"]["salt"] != before["kdf"]["salt"]
    assert after["secrets"]["binance"]["text"] != before["secrets"]["binance"]["text"]
    assert open_store(path).get("binance") == FIELDS


def test_it_leaves_no_draft_behind(path):
    open_store(path).put("binance", FIELDS)
    open_store(path).delete("binance")

    assert {item.name for item in path.parent.iterdir()} == {"keys.json", "keys.json.lock"}


@pytest.mark.parametrize("password", ["", "short"])
def test_it_refuses_a_weak_password(path, password):
    with pytest.raises(KeyStoreError, match="MASTER_PASSWORD"):
        open_store(path, password)


def test_credentials_show_nothing():
    credentials = Credentials(api_key="the-key-abc", api_secret="the-secret-xyz")

    shown = f"{credentials} {credentials!r} {credentials!s} {[credentials]}"

    assert "abc" not in shown
    assert "xyz" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(credentials)


@pytest.mark.parametrize("value", ["", " a", "a\n", "\u00e4"])
def test_credentials_refuse_odd_text(value):
    with pytest.raises(ValueError, match="api_key"):
        Credentials(api_key=value, api_secret="b")
