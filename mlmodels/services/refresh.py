"""May a freshly trained version replace the one that predicts?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.clock import to_ms
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.evaluation import BoolArray, hac_lags, mean_per_moment, newey_west
from mlmodels.ports import ArtifactError, ArtifactStore, Trainer
from mlmodels.selectors import ChampionView
from mlmodels.services.fitting import FittedEnsemble, ensemble_margins
from mlmodels.services.serving import ServedModel, load_model, read_model

# Fewer fresh rows than this cannot tell two models apart.
MIN_FRESH_ROWS = 50
# How much worse, in standard errors of the difference, a fresher model of the same recipe may be.
NON_INFERIORITY = 0.5
_SAMPLE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a new version. Neither promoted nor rejected: an operator decides."""

    is_promoted: bool
    is_rejected: bool
    reason: str


def check_sanity(
    files: Mapping[str, bytes],
    *,
    fitted: FittedEnsemble,
    dataset: Dataset,
    trainers: Mapping[str, Trainer],
) -> None:
    """Make sure that what was stored predicts, and predicts what was fitted, to the bit.

    Raises:
        ArtifactError: It does not.
    """
    sample = dataset.features[-_SAMPLE:]
    _, members = read_model(files, trainers=trainers)
    stored, expected = ensemble_margins(members, sample), ensemble_margins(fitted.members, sample)
    if not np.array_equal(stored, expected):
        raise ArtifactError("the stored model predicts something else than the fitted one")


def is_fit_to_serve(
    fitted: FittedEnsemble,
    *,
    recipe: str,
    horizon_bars: int,
    dataset: Dataset,
    champion: ChampionView | None,
    store: ArtifactStore,
    trainers: Mapping[str, Trainer],
) -> Decision:
    """Decide by the refresh rule: fresher data of the same recipe must not be worse.

    Compared are the Brier losses on rows that neither model was fitted on: those after the
    champion's training, which the new recipe predicted while walking forward.
    """
    if champion is None:
        return _promoted("the first model of its timeframe")
    if champion.recipe != recipe:
        return Decision(
            is_promoted=False,
            is_rejected=False,
            reason=f"another recipe than the champion's ({champion.recipe}): promote by hand",
        )
    if champion.horizon_bars != horizon_bars:
        return Decision(
            is_promoted=False,
            is_rejected=False,
            reason=f"another horizon than the champion's ({champion.horizon_bars} candles): "
            "promote by hand",
        )
    try:
        served = load_model(champion, store=store, trainers=trainers)
    except ArtifactError as error:
        return _promoted(f"the champion cannot be loaded: {error}")
    fresh = fitted.judged.time_ms > to_ms(champion.trained_until)
    if int(fresh.sum()) < MIN_FRESH_ROWS:
        return _promoted(f"same recipe on fresher data; only {int(fresh.sum())} rows to compare on")
    return _compare(fitted, fresh, served=served, dataset=dataset)


def _compare(
    fitted: FittedEnsemble,
    fresh: BoolArray,
    *,
    served: ServedModel,
    dataset: Dataset,
) -> Decision:
    judged = fitted.judged.where(fresh)
    rows = dataset.take(fitted.judged_rows[fresh])
    champion = served.bundle.calibrations.apply(
        served.margins(rows.features), rows.horizon_sigma, rows.group
    )
    is_up = judged.forward_return > 0
    worse = (judged.p_up - is_up) ** 2 - (champion.p_up - is_up) ** 2
    lags = hac_lags(served.bundle.horizon_bars)
    found = newey_west(mean_per_moment(worse, judged.time_ms), lags=lags)
    text = (
        f"Brier loss {found.mean:+.5f} against the champion "
        f"(standard error {found.standard_error:.5f}, {len(worse)} rows)"
    )
    if found.mean <= NON_INFERIORITY * found.standard_error:
        return _promoted(f"not worse: {text}")
    return Decision(is_promoted=False, is_rejected=True, reason=f"worse: {text}")


def _promoted(reason: str) -> Decision:
    return Decision(is_promoted=True, is_rejected=False, reason=reason)
