"""What training and serving need from outside: trainers, and a place for files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
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

    def insight(self, features: Features) -> dict[str, Any]:
        """Return what else it says of itself, for its page; empty: contributions say all."""

    def to_files(self) -> dict[str, bytes]:
        """Return file names and contents; JSON, UBJ or safetensors, never a pickle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRows:
    """What a trainer learns from; n rows in order of time.

    Attributes:
        features: shape (n, features).
        names: Of the columns, in the words of ``FeatureSpec``; ``~k`` is k bars earlier.
        is_up: shape (n,), whether the label's return was above 0.
        outcome: shape (n,), the return in units of the volatility known at the close.
        weight: shape (n,), mean 1.
    """

    features: Features
    names: Sequence[str]
    is_up: NDArray[np.bool_]
    outcome: FloatArray
    weight: FloatArray


class Trainer(Protocol):
    """Fits one kind of model, the same bits for the same rows and seed."""

    @property
    def name(self) -> str:
        """Short and stable: it is part of a recipe's name."""

    @property
    def columns(self) -> Mapping[str, Any]:
        """What it wants to see, as ``feature_parameters``; empty: whatever the settings say."""

    @property
    def must_challenge(self) -> bool:
        """Whether it never serves before it has shown beside a champion that it is better."""

    def libraries(self) -> dict[str, str]:
        """Return names and versions of the packages that a fit depends on."""

    def figures(self) -> dict[str, Any]:
        """Return what can be turned in it, and how it stands."""

    def fit(self, rows: FitRows, *, seed: int) -> FittedModel:
        """Fit."""

    def load(self, files: Mapping[str, bytes]) -> FittedModel:
        """Rebuild what ``to_files`` gave.

        Raises:
            ArtifactError: The contents are not such a model.
        """


class WalkMemory(Protocol):
    """Keeps what members said of a block until the training has ended."""

    def recall(self, name: str) -> FloatArray | None:
        """Return log-odds of shape (members, rows); None: not kept, or not readable."""

    def keep(self, name: str, margins: FloatArray) -> None:
        """Keep them, whole or not at all."""


class Progress(Protocol):
    """Hears how far a training is."""

    def __call__(self, done: int, total: int, message: str) -> None: ...


def silent(done: int, total: int, message: str) -> None:
    """Hear nothing."""
    del done, total, message


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

    def memory(self) -> WalkMemory:
        """Return where trainings that are under way keep what they have."""


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
