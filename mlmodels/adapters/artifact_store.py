"""Models as folders of plain files: all or nothing when written, checked to the byte when read."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from mlmodels.adapters.walk_memory import FolderWalkMemory
from mlmodels.ports import ArtifactError, StoredArtifact

MANIFEST = "manifest.json"
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_MANIFEST_BYTES = 64 * 1024
_NAME = re.compile(r"[a-z][a-z0-9_]*\.(json|ubj|safetensors)")


class FolderArtifactStore:
    """One folder per model under `root`, named by a UUID.

    Nothing in it is ever unpickled: JSON, UBJ and safetensors hold numbers, not code. The manifest
    lists size and hash of each file, and the manifest's own hash lives in the database.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, files: Mapping[str, bytes]) -> StoredArtifact:
        """Write to a scratch folder, flush to the disk, then rename: a crash leaves no half model.

        Raises:
            ArtifactError: A name or a size is not allowed.
        """
        for name, content in files.items():
            if not _NAME.fullmatch(name) or name == MANIFEST or len(content) > MAX_FILE_BYTES:
                raise ArtifactError("this file may not be stored", file=name, size=len(content))
        artifact_id = uuid4()
        manifest = _manifest(files)
        self.root.mkdir(parents=True, exist_ok=True)
        scratch = self.root / f".{artifact_id}.part"
        scratch.mkdir()
        try:
            for name, content in {**files, MANIFEST: manifest}.items():
                _write(scratch / name, content)
            _flush_folder(scratch)
            scratch.rename(self.root / str(artifact_id))
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        _flush_folder(self.root)
        return StoredArtifact(artifact_id=artifact_id, manifest_sha256=_sha256(manifest))

    def load(self, artifact: StoredArtifact) -> dict[str, bytes]:
        """Return all files after checking every byte against the manifest.

        Raises:
            ArtifactError: Anything is missing, changed, foreign or too large.
        """
        folder = self.root / str(artifact.artifact_id)
        manifest = _read(folder / MANIFEST, limit=MAX_MANIFEST_BYTES, artifact=artifact.artifact_id)
        if _sha256(manifest) != artifact.manifest_sha256:
            raise ArtifactError(
                "the manifest is not the one that was stored",
                artifact_id=str(artifact.artifact_id),
            )
        listed: dict[str, dict[str, Any]] = json.loads(manifest)["files"]
        found = {path.name for path in folder.iterdir()}
        if found != {*listed, MANIFEST}:
            raise ArtifactError(
                "the folder holds other files than the manifest lists",
                artifact_id=str(artifact.artifact_id),
                files=sorted(found ^ {*listed, MANIFEST}),
            )
        files = {}
        for name, entry in listed.items():
            content = _read(
                folder / name,
                limit=min(entry["size"], MAX_FILE_BYTES),
                artifact=artifact.artifact_id,
            )
            if len(content) != entry["size"] or _sha256(content) != entry["sha256"]:
                raise ArtifactError(
                    "a file was changed after it was stored",
                    artifact_id=str(artifact.artifact_id),
                    file=name,
                )
            files[name] = content
        return files

    def memory(self) -> FolderWalkMemory:
        """Return the folder in which trainings keep what they would need after a kill."""
        return FolderWalkMemory(self.root / ".walks")


def _manifest(files: Mapping[str, bytes]) -> bytes:
    listed = {
        name: {"sha256": _sha256(content), "size": len(content)} for name, content in files.items()
    }
    return json.dumps({"format": 1, "files": listed}, sort_keys=True, indent=1).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path, *, limit: int, artifact: UUID) -> bytes:
    """Read at most `limit` bytes of a plain file; a link may point anywhere and is refused."""
    try:
        if path.is_symlink():
            raise ArtifactError("a link is not a model file", artifact_id=str(artifact))
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ArtifactError(
            "a model file is missing", artifact_id=str(artifact), file=path.name
        ) from error
    if len(content) > limit:
        raise ArtifactError(
            "a model file is larger than it may be", artifact_id=str(artifact), file=path.name
        )
    return content
