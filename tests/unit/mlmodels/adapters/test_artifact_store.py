import pickle
import uuid

import pytest

from mlmodels.adapters import artifact_store
from mlmodels.adapters.artifact_store import MANIFEST, FolderArtifactStore
from mlmodels.ports import ArtifactError, StoredArtifact

FILES = {"model.ubj": bytes(range(256)) * 4, "metrics.json": b'{"ic": 0.1}'}


@pytest.fixture
def store(tmp_path):
    return FolderArtifactStore(tmp_path / "models")


def folder_of(store, artifact):
    return store.root / str(artifact.artifact_id)


def test_it_returns_what_was_stored(store):
    artifact = store.save(FILES)

    assert store.load(artifact) == FILES


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_it_refuses_a_flipped_bit_anywhere(store, name):
    artifact = store.save(FILES)
    path = folder_of(store, artifact) / name
    content = path.read_bytes()

    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1
        path.write_bytes(bytes(flipped))
        with pytest.raises(ArtifactError):
            store.load(artifact)

    path.write_bytes(content)
    assert store.load(artifact) == FILES


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_it_refuses_a_missing_file(store, name):
    artifact = store.save(FILES)
    (folder_of(store, artifact) / name).unlink()

    with pytest.raises(ArtifactError):
        store.load(artifact)


def test_it_refuses_a_foreign_file(store):
    artifact = store.save(FILES)
    (folder_of(store, artifact) / "model.pkl").write_bytes(pickle.dumps({}))

    with pytest.raises(ArtifactError) as caught:
        store.load(artifact)

    assert caught.value.context["files"] == ["model.pkl"]


def test_it_refuses_a_longer_file(store):
    artifact = store.save(FILES)
    with (folder_of(store, artifact) / "model.ubj").open("ab") as file:
        file.write(b"more")

    with pytest.raises(ArtifactError, match="larger"):
        store.load(artifact)


def test_it_refuses_a_link(store, tmp_path):
    artifact = store.save(FILES)
    path = folder_of(store, artifact) / "metrics.json"
    (tmp_path / "elsewhere").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ArtifactError, match="link"):
        store.load(artifact)


def test_it_refuses_another_models_manifest(store):
    mine, other = store.save(FILES), store.save({"metrics.json": b"{}"})

    with pytest.raises(ArtifactError, match="manifest"):
        store.load(
            StoredArtifact(artifact_id=mine.artifact_id, manifest_sha256=other.manifest_sha256)
        )


def test_it_refuses_what_was_never_stored(store):
    with pytest.raises(ArtifactError, match="missing"):
        store.load(StoredArtifact(artifact_id=uuid.uuid4(), manifest_sha256="0" * 64))


@pytest.mark.parametrize("name", ["model.pkl", "../model.ubj", ".model.ubj", MANIFEST, "a/b.json"])
def test_it_stores_only_plain_names_that_hold_no_code(store, name):
    with pytest.raises(ArtifactError):
        store.save({name: b""})

    assert not store.root.exists()


def test_it_leaves_nothing_behind_when_the_disk_fails(store, monkeypatch):
    def full(path, content):
        path.write_bytes(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(artifact_store, "_write", full)

    with pytest.raises(OSError, match="No space left"):
        store.save(FILES)

    assert list(store.root.iterdir()) == []
