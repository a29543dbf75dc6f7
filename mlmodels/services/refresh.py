"""May a freshly trained version replace the one that predicts?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.clock import to_ms
from mlmodels.domain.dataset import Dataset
from mlmodels.domain.gates import Gate
from mlmodels.domain.label_spec import LabelSpec
from mlmodels.domain.statistics import BoolArray, hac_lags, mean_per_moment, newey_west
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
    """What becomes of a new version. Neither promoted nor rejected: it challenges."""

    is_promoted: bool
    is_rejected: bool
    reason: str


def check_sanity(
    files: Mapping[str, bytes],
    *,
    fitted: FittedEnsemble,
    dataset: Dataset,
    trainers: Mapping[str, Trainer],
) -> tuple[Gate, ...]:
    """Make sure that what was stored predicts, and predicts what was fitted, to the bit.

    Returns:
        The gates that concern the version as a thing, not its skill.

    Raises:
        ArtifactError: It does not.
    """
    sample = dataset.features[-_SAMPLE:]
    _, members = read_model(files, trainers=trainers)
    stored, expected = ensemble_margins(members, sample), ensemble_margins(fitted.members, sample)
    if not np.array_equal(stored, expected):
        raise ArtifactError("the stored model predicts something else than the fitted one")
    spread = float(fitted.judged.p_up.std())
    return (
        Gate(name="artifact", number=float(len(files)), needed="verified", is_passed=True),
        # A constant is what an honest recipe says of noise: no skill, but nothing is broken.
        Gate(name="spread", number=spread, needed="finite", is_passed=bool(np.isfinite(spread))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A freshly trained model and what it is made of.

    Attributes:
        must_challenge: A trainer of it never serves before it has shown that it is better.
    """

    fitted: FittedEnsemble
    gates: Sequence[Gate]
    recipe: str
    label: LabelSpec
    spec_hash: str
    dataset: Dataset
    must_challenge: bool = False


def is_fit_to_serve(
    candidate: Candidate,
    *,
    champion: ChampionView | None,
    store: ArtifactStore,
    trainers: Mapping[str, Trainer],
) -> Decision:
    """Decide by the refresh rule: fresher data of the same recipe must not be worse.

    A version that fails a sanity gate never serves. Another recipe, label or set of features
    becomes a challenger: it must show on fresh candles that it is better.

    Compared are the Brier losses on rows that neither model was fitted on: those after the
    champion's training, which the new recipe predicted while walking forward.
    """
    fitted = candidate.fitted
    failed = [gate.name for gate in candidate.gates if not gate.is_passed]
    if failed:
        reason = f"failed {', '.join(failed)}"
        return Decision(is_promoted=False, is_rejected=True, reason=reason)
    if champion is None and candidate.must_challenge:
        return Decision(
            is_promoted=False,
            is_rejected=False,
            reason="a recipe that enters only as a challenger, and there is no champion yet: "
            "train the default recipe",
        )
    if champion is None:
        return _promoted("the first model of its timeframe")
    changed = _changes(champion, candidate)
    if changed:
        return Decision(
            is_promoted=False,
            is_rejected=False,
            reason=f"another {' and '.join(changed)} than the champion's: it must show on fresh "
            "candles that it is better, or be promoted by hand",
        )
    try:
        served = load_model(champion, store=store, trainers=trainers)
    except ArtifactError as error:
        return _promoted(f"the champion cannot be loaded: {error}")
    return may_replace(
        fitted,
        dataset=candidate.dataset,
        served=served,
        trained_until_ms=to_ms(champion.trained_until),
    )


def may_replace(
    fitted: FittedEnsemble, *, dataset: Dataset, served: ServedModel, trained_until_ms: int
) -> Decision:
    """Decide by the refresh rule between models of one recipe.

    Args:
        fitted: The new one.
        dataset: What it was fitted on.
        served: The champion.
        trained_until_ms: Newest candle that the champion had seen.
    """
    fresh = fitted.judged.time_ms > trained_until_ms
    if int(fresh.sum()) < MIN_FRESH_ROWS:
        return _promoted(f"same recipe on fresher data; only {int(fresh.sum())} rows to compare on")
    return _compare(fitted, fresh, served=served, dataset=dataset)


def _changes(champion: ChampionView, candidate: Candidate) -> list[str]:
    differs = {
        "recipe": champion.recipe != candidate.recipe,
        "label": champion.label != candidate.label.to_json(),
        "set of features": champion.spec_hash != candidate.spec_hash,
    }
    return [name for name, is_other in differs.items() if is_other]


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
