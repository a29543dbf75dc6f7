"""What training and serving need from outside: trainers, and a place for files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from core.errors import TradingError
from markets.domain.timeframe import Timeframe
from mlmodels.domain.features import Candles

Features = NDArray[np.float32]
FloatArray = NDArray[np.float64]


class ArtifactError(TradingError):
    """The files of a model are missing, changed, too large or not understood."""

    code = "MODEL_ARTIFACT_REFUSED"


class FittedModel(Protocol):
    """A trained member of an ensemble."""

    @property
    def name(self) -> str:
        """The trainer that made it, and can load it."""

    def margins(self, features: Features) -> FloatArray:
        """Return log-odds of "up", shape (n,), for features of shape (n, features)."""

    def contributions(self, features: Features) -> FloatArray:
        """Return what each feature adds to the log-odds, shape (n, features)."""

    def to_files(self) -> dict[str, bytes]:
        """Return file names and contents; JSON or UBJ, never a pickle."""


class Trainer(Protocol):
    """Fits one kind of model, the same bits for the same rows and seed."""

    @property
    def name(self) -> str:
        """Short and stable: it is part of a recipe's name."""

    def libraries(self) -> dict[str, str]:
        """Return names and versions of the packages that a fit depends on."""

    def fit(
        self, *, features: Features, is_up: NDArray[np.bool_], weight: FloatArray, seed: int
    ) -> FittedModel:
        """Fit on features of shape (n, features), outcomes and weights (mean 1) of shape (n,)."""

    def load(self, files: Mapping[str, bytes]) -> FittedModel:
        """Rebuild what ``to_files`` gave.

        Raises:
            ArtifactError: The contents are not such a model.
        """


class Progress(Protocol):
    """Hears how far a training is."""

    def __call__(self, done: int, total: int, message: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArtifact:
    """Where the files of a model lie and the hash that pins them."""

    artifact_id: UUID
    manifest_sha256: str


class ArtifactStore(Protocol):
    """Keeps the files of models; what it returns is what was stored, or it raises."""

    def save(self, files: Mapping[str, bytes]) -> StoredArtifact:
        """Store all files or none."""

    def load(self, artifact: StoredArtifact) -> dict[str, bytes]:
        """Return the files.

        Raises:
            ArtifactError: A file is missing, changed, foreign or too large.
        """


class WindowSource(Protocol):
    """The newest closed candles of each symbol, kept in memory by the worker."""

    def ensure(
        self, *, timeframe: Timeframe, instrument_ids: Sequence[int], close_time_ms: int
    ) -> None:
        """Load what is missing up to the close, with at most one query."""

    def window(
        self,
        *,
        timeframe: Timeframe,
        instrument_id: int,
        length: int,
        close_time_ms: int | None = None,
    ) -> Candles:
        """Return the newest `length` candles up to the close, or fewer if there are fewer."""
