import pytest

from core.keys import manager
from core.keys.base import KeyMissing, KeyStoreError
from core.keys.encrypted_file import EncryptedFileKeyStore
from core.masking import mask_text


@pytest.fixture(autouse=True)
def forgotten():
    manager.forget_credentials()
    yield
    manager.forget_credentials()


@pytest.fixture
def environment(monkeypatch):
    monkeypatch.setenv("BINANCE_API_KEY", "key-of-the-environment")
    monkeypatch.setenv("BINANCE_API_SECRET", " secret-of-the-environment\r\n")
    return monkeypatch


def test_it_reads_the_environment_and_masks_from_then_on(environment):
    credentials = manager.get_credentials()

    assert credentials.api_secret == "secret-of-the-environment"
    assert "environment" not in mask_text("was secret-of-the-environment")


def test_it_reads_the_store_once(environment):
    first = manager.get_credentials()
    environment.setenv("BINANCE_API_KEY", "another-key-by-now")

    assert manager.get_credentials() is first


@pytest.mark.parametrize("value", ["", "  ", "your-api-key", "changeme", "<key>"])
def test_it_names_the_variable_and_the_fix(environment, value):
    environment.setenv("BINANCE_API_KEY", value)

    with pytest.raises(KeyMissing, match="API key invalid: BINANCE_API_KEY") as caught:
        manager.get_credentials()

    assert "BINANCE_API_KEY" in caught.value.context["fix"]


def test_the_environment_cannot_be_written(settings):
    with pytest.raises(KeyStoreError, match="environment"):
        manager.get_store().put("binance", {})


def test_it_reads_the_file_when_told_to(settings, tmp_path):
    settings.KEY_STORE = "file"
    settings.KEY_FILE = tmp_path / "keys.json"
    settings.MASTER_PASSWORD = "correct horse battery"
    store = EncryptedFileKeyStore(path=settings.KEY_FILE, password=settings.MASTER_PASSWORD)
    store.put("binance", {"api_key": "key-in-file", "api_secret": "secret-in-file"})

    assert manager.get_credentials().api_key == "key-in-file"


def test_an_entry_that_is_no_key_pair_is_refused(settings, tmp_path):
    settings.KEY_STORE = "file"
    settings.KEY_FILE = tmp_path / "keys.json"
    settings.MASTER_PASSWORD = "correct horse battery"
    manager.get_store().put("binance", {"target": "x"})

    with pytest.raises(KeyMissing, match="not a key pair"):
        manager.get_credentials()
