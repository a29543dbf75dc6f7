"""The files that make a model whole, beside those of its members."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mlmodels.domain.calibration import CalibrationSet
from mlmodels.domain.cases import Cases
from mlmodels.domain.drift import DriftReference
from mlmodels.domain.evaluation import Evaluation
from mlmodels.domain.factor_weights import read_weights
from mlmodels.domain.features import FeatureSpec
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.lifecycle import Verdict, promised_ic

CALIBRATION = "calibration.json"
SPEC = "feature_spec.json"
METRICS = "metrics.json"
CASES = "cases.json"
DRIFT = "drift.json"
WEIGHTS = "factor_weights.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """How members are fed, calibrated and believed.

    Attributes:
        members: Names of the trainers, in the order of the average.
        horizon_bars: Candles ahead.
        spec: The features they were fitted on.
        calibrations: From their mean log-odds to predictions.
        skilled: Instruments on which skill was shown; on all others there is none.
        label: What ended the labels.
        cases_file: Past closes to compare a new one with.
        drift_file: What the features looked like in training; read only by watching.
        promised_ic: Correlation that walking forward had shown; None: no skill on any symbol.
        factor_weights: What a technical score of 1 adds to the log-odds; None: it was not fitted.
    """

    members: tuple[str, ...]
    horizon_bars: int
    spec: FeatureSpec
    calibrations: CalibrationSet
    skilled: frozenset[int]
    label: LabelSpec
    cases_file: bytes
    drift_file: bytes
    promised_ic: float | None = None
    factor_weights: Mapping[str, float] | None = None

    def cases(self) -> Cases:
        """Read the past closes; the second time they are at hand.

        Raises:
            KeyError, TypeError, ValueError: They cannot be read.
        """
        return _read_cases(self.cases_file)

    def drift(self) -> DriftReference:
        """Read what the features looked like.

        Raises:
            KeyError, TypeError, ValueError: It cannot be read.
        """
        return DriftReference.from_json(json.loads(self.drift_file))

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Bundle":
        """Read what ``bundle_files`` wrote.

        Raises:
            KeyError, TypeError, ValueError: The files do not fit.
        """
        calibration = json.loads(files[CALIBRATION])
        metrics = json.loads(files[METRICS])
        return cls(
            members=tuple(calibration["members"]),
            horizon_bars=int(calibration["horizon_bars"]),
            spec=FeatureSpec.from_json(json.loads(files[SPEC])),
            calibrations=CalibrationSet.from_json(calibration["calibrations"]),
            label=LabelSpec.from_json(calibration["label"]),
            cases_file=files[CASES],
            drift_file=files[DRIFT],
            # Models from before they were fitted have no such file.
            factor_weights=read_weights(json.loads(files.get(WEIGHTS, b"null"))),
            promised_ic=promised_ic(metrics["pooled"], metrics["by_group"]),
            skilled=frozenset(
                int(group)
                for group, found in metrics["by_group"].items()
                if found["verdict"] == Verdict.SKILLED
            ),
        )


@lru_cache(maxsize=8)
def _read_cases(content: bytes) -> Cases:
    return Cases.from_json(json.loads(content))


def bundle_files(
    *,
    members: tuple[str, ...],
    spec: FeatureSpec,
    calibrations: CalibrationSet,
    label: LabelSpec,
    cases: Cases,
    drift: DriftReference,
    pooled: Evaluation,
    by_group: Mapping[int, Evaluation],
) -> dict[str, bytes]:
    """Return file names and contents."""
    return {
        CALIBRATION: _json(
            {
                "members": list(members),
                "horizon_bars": label.horizon_bars,
                "calibrations": calibrations.to_json(),
                "label": label.to_json(),
            }
        ),
        CASES: _compact(cases.to_json()),
        DRIFT: _compact(drift.to_json()),
        SPEC: _json(spec.to_json()),
        METRICS: _json(
            {
                "pooled": pooled.to_json(),
                "by_group": {str(group): found.to_json() for group, found in by_group.items()},
            }
        ),
    }


def weights_file(weights: Mapping[str, float] | None) -> dict[str, bytes]:
    """Return the file of the factors' weights; null where they were not fitted."""
    return {WEIGHTS: json.dumps(weights, sort_keys=True, allow_nan=False).encode()}


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, indent=1, allow_nan=False).encode()


def _compact(data: dict[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
