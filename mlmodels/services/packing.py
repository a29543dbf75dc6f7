"""The files of a fitted model: what it predicts with, and what it is explained and watched by."""

from collections.abc import Mapping

from mlmodels.domain.bundle import bundle_files, weights_file
from mlmodels.domain.cases import Cases
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.drift import fit_drift
from mlmodels.domain.features import FeatureSpec
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.services.fitting import FittedEnsemble, importance
from mlmodels.services.weighing import Closes, learn_weights

# Closes whose features are compared with the training's: a week of hours.
DRIFT_BARS = 168
_SAMPLE = 2000


def pack_model(
    fitted: FittedEnsemble,
    *,
    dataset: Dataset,
    candles: Mapping[int, Closes],
    spec: FeatureSpec,
    label: LabelSpec,
    seed: int,
) -> dict[str, bytes]:
    """Return file names and contents; ``read_model`` reads them.

    Args:
        fitted: Members, calibrations and judgement.
        dataset: What they were fitted on.
        candles: What it was made of, by instrument id.
        spec: Its columns.
        label: What was learned.
        seed: Chooses the stretches that drift is measured on.
    """
    files = bundle_files(
        members=tuple(member.name for member in fitted.members),
        spec=spec,
        calibrations=fitted.calibrations,
        label=label,
        cases=Cases.sample(
            features=dataset.features,
            close_ms=dataset.start_ms,
            group=dataset.group,
            realized_return=dataset.forward_return,
        ),
        drift=fit_drift(
            dataset.features,
            names=spec.names,
            time_ms=dataset.start_ms,
            importance=importance(fitted.members, dataset.features[-_SAMPLE:]),
            window_bars=DRIFT_BARS,
            seed=seed,
        ),
        pooled=fitted.pooled,
        by_group=fitted.by_group,
    )
    weights = learn_weights(fitted.judged, candles, label=label, interval_ms=spec.interval_ms)
    files.update(weights_file(weights))
    for member in fitted.members:
        files.update(member.to_files())
    return files
