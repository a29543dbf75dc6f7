"""The champion in memory: loaded once per process, checked at every close with one query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from mlmodels.domain.bundle import Bundle
from mlmodels.domain.calibration import Calibrated
from mlmodels.domain.ensemble import average
from mlmodels.domain.features import FeatureMatrix, FloatArray, IntArray
from mlmodels.domain.prediction import PredictionState
from mlmodels.domain.primary import sides_of
from mlmodels.ports import (
    ArtifactError,
    ArtifactStore,
    Features,
    FittedModel,
    StoredArtifact,
    Trainer,
)
from mlmodels.selectors import ChampionView
from mlmodels.services.champions import read_champion

_MOST_BESIDE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model ready to predict.

    Attributes:
        version_id: Which.
        name: Recipe, timeframe and horizon.
        bundle: How its members are fed, calibrated and believed.
        members: What is averaged.
        is_suspended: Its live outcomes show no skill; it serves as NO_SKILL.
        interval_scales: How much wider each instrument's interval must be.
    """

    version_id: int
    name: str
    bundle: Bundle
    members: tuple[FittedModel, ...]
    is_suspended: bool = False
    interval_scales: Mapping[int, float] = field(default_factory=dict)

    def state_of(self, instrument_id: int) -> PredictionState:
        """Return whether a prediction of the instrument may be acted on."""
        if self.is_suspended or instrument_id not in self.bundle.skilled:
            return PredictionState.NO_SKILL
        return PredictionState.OK

    def margins(self, features: Features) -> FloatArray:
        """Return the members' mean log-odds, shape (n,)."""
        return average([member.margins(features) for member in self.members])

    def contributions(self, features: Features) -> FloatArray:
        """Return what each feature adds to the mean log-odds, shape (n, features)."""
        return average([member.contributions(features) for member in self.members])

    def predict(self, features: FeatureMatrix, group: IntArray) -> Calibrated:
        """Return calibrated predictions; `group` is the instrument of each row."""
        horizon_sigma = features.sigma * np.sqrt(float(self.bundle.horizon_bars))
        found = self.bundle.calibrations.apply(self.margins(features.values), horizon_sigma, group)
        side = sides_of(self.bundle.label, features.values, self.bundle.spec.names)
        if side is not None:
            found = found.turned(side)
        if not self.interval_scales:
            return found
        scale = [self.interval_scales.get(key, 1.0) for key in group.tolist()]
        return found.widened(np.array(scale))


class ModelSource(Protocol):
    """Where inference gets its model from."""

    def champion(self, scope: str) -> ServedModel | None:
        """Return the model that predicts in `scope`, or None when none was trained."""

    def beside(self, view: ChampionView) -> ServedModel:
        """Return a model that predicts beside the champion."""


class ModelCache:
    """Keeps each scope's champion in memory until another is promoted."""

    def __init__(self, *, store: ArtifactStore, trainers: Mapping[str, Trainer]) -> None:
        self._store = store
        self._trainers = trainers
        self._served: dict[str, ServedModel] = {}
        self._beside: dict[int, ServedModel] = {}

    def champion(self, scope: str) -> ServedModel | None:
        """Return the champion; reads its files only when it is another than last time.

        Raises:
            ArtifactError: The files are not what was stored, or their features are of other code.
        """
        found = read_champion(scope)
        if found is None:
            self._served.pop(scope, None)
            return None
        held = self._served.get(scope)
        if held is None or held.version_id != found.version_id:
            held = load_model(found, store=self._store, trainers=self._trainers)
            self._served[scope] = held
        # What changes while a version serves is read with it at every close.
        if held.is_suspended != found.is_suspended or held.interval_scales != found.interval_scales:
            held = replace(
                held, is_suspended=found.is_suspended, interval_scales=found.interval_scales
            )
            self._served[scope] = held
        return held

    def beside(self, view: ChampionView) -> ServedModel:
        """Return a model that predicts beside the champion; keeps the newest few.

        Raises:
            ArtifactError: The files are not what was stored, or their features are of other code.
        """
        if view.version_id not in self._beside:
            while len(self._beside) >= _MOST_BESIDE:
                self._beside.pop(next(iter(self._beside)))
            self._beside[view.version_id] = load_model(
                view, store=self._store, trainers=self._trainers
            )
        return self._beside[view.version_id]


def load_model(
    champion: ChampionView, *, store: ArtifactStore, trainers: Mapping[str, Trainer]
) -> ServedModel:
    """Load a version's files, checking every byte.

    Raises:
        ArtifactError: The files are not what was stored, or their features are of other code.
    """
    artifact = StoredArtifact(
        artifact_id=champion.artifact_id, manifest_sha256=champion.manifest_sha256
    )
    bundle, members = read_model(store.load(artifact), trainers=trainers)
    return ServedModel(
        version_id=champion.version_id,
        name=champion.name,
        bundle=bundle,
        members=members,
        is_suspended=champion.is_suspended,
        interval_scales=champion.interval_scales,
    )


def read_model(
    files: Mapping[str, bytes], *, trainers: Mapping[str, Trainer]
) -> tuple[Bundle, tuple[FittedModel, ...]]:
    """Turn stored files into a bundle and its members.

    Raises:
        ArtifactError: They do not fit together, or their features are of other code.
    """
    try:
        bundle = Bundle.from_files(files)
        members: Sequence[FittedModel] = [trainers[name].load(files) for name in bundle.members]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError("the files of the model do not fit together") from error
    if not bundle.spec.is_current:
        raise ArtifactError(
            "Model predictions unavailable: the model was trained on features of another program "
            "version. Train again with `manage.py retrain`.",
            code_version=bundle.spec.code_version,
        )
    return bundle, tuple(members)
