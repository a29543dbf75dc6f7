"""Ridge-logistic regression: fitted by scikit-learn, served by plain arithmetic."""

import json
from collections.abc import Mapping
from importlib.metadata import version

import numpy as np

from mlmodels.adapters.plain_trainer import PlainModel, PlainTrainer
from mlmodels.domain.ensemble import LinearModel, standardize
from mlmodels.ports import ArtifactError, Features, FitRows, FloatArray

FILE = "logistic.json"
# Inverse of the ridge: with some ten thousand rows it leaves strong columns and stills the noise.
INVERSE_RIDGE = 0.01
PARAMETERS = {"inverse_ridge": INVERSE_RIDGE}


class LogisticModel(PlainModel):
    """A linear model of the log-odds."""

    name = "logistic"

    def __init__(self, linear: LinearModel) -> None:
        self._linear = linear

    def margins(self, features: Features) -> FloatArray:
        return self._linear.margins(features)

    def contributions(self, features: Features) -> FloatArray:
        return self._linear.contributions(features)

    def to_files(self) -> dict[str, bytes]:
        return {FILE: json.dumps(self._linear.to_json(), sort_keys=True).encode()}


class LogisticTrainer(PlainTrainer):
    """Fits and loads ridge-logistic models. Only a fit imports scikit-learn."""

    name = "logistic"
    DEFAULTS = PARAMETERS

    def libraries(self) -> dict[str, str]:
        return {name: version(name) for name in ("scikit-learn", "scipy", "numpy")}

    def fit(self, rows: FitRows, *, seed: int) -> LogisticModel:
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        mean, scale = standardize(rows.features)
        scaled = (rows.features.astype(np.float64) - mean) / scale
        ridge = self.parameters["inverse_ridge"]
        fitted = LogisticRegression(C=ridge, max_iter=500, random_state=seed)
        # Threads that wait for each other cost seconds on a busy machine, and could change a bit.
        with threadpool_limits(limits=1):
            fitted.fit(scaled, rows.is_up, sample_weight=rows.weight)
        return LogisticModel(
            LinearModel(
                mean=tuple(mean.tolist()),
                scale=tuple(scale.tolist()),
                weights=tuple(fitted.coef_[0].tolist()),
                intercept=float(fitted.intercept_[0]),
            )
        )

    def load(self, files: Mapping[str, bytes]) -> LogisticModel:
        try:
            return LogisticModel(LinearModel.from_json(json.loads(files[FILE])))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError("the coefficients cannot be read", file=FILE) from error
