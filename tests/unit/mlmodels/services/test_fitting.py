"""The honesty of the whole recipe, on markets whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

from mlmodels.adapters.factory import get_trainers
from mlmodels.domain.dataset import build_dataset
from mlmodels.domain.evaluation import area_under_curve
from mlmodels.domain.features import FeatureSpec
from mlmodels.domain.lifecycle import Verdict
from mlmodels.domain.splits import walk_forward
from mlmodels.ports import silent
from mlmodels.services.fitting import fit_ensemble
from mlmodels.services.walking import TooFewCandles
from tests.unit.mlmodels.market import HOUR_MS, generate

SPEC = FeatureSpec(interval_ms=HOUR_MS)
TRAINERS = get_trainers("ensemble")


def fit(candles, *, horizon=12, seed=1, dataset=None):
    rows = dataset or build_dataset(candles, spec=SPEC, horizon_bars=horizon)
    return fit_ensemble(
        rows,
        trainers=TRAINERS,
        horizon_bars=horizon,
        interval_ms=HOUR_MS,
        seed=seed,
        progress=silent,
    )


@pytest.fixture(scope="module")
def planted():
    """Two symbols with a planted signal and one of pure noise."""
    return fit(
        {
            1: generate(6000, seed=1, ic=0.3),
            2: generate(6000, seed=2, ic=0.3),
            3: generate(6000, seed=3),
        }
    )


def test_it_finds_the_planted_signal_and_tells_noise_apart(planted):
    verdicts = {group: found.verdict for group, found in planted.by_group.items()}

    assert planted.pooled.verdict is Verdict.SKILLED
    assert verdicts == {1: Verdict.SKILLED, 2: Verdict.SKILLED, 3: Verdict.NO_SKILL}
    assert planted.pooled.ic > max(abs(ic) for ic in planted.pooled.baselines.values())


def test_it_recovers_most_of_what_can_be_known(planted):
    # The state decays by 0.9 a candle: over 12 candles the best forecast has this correlation.
    kept = sum(0.9**bar for bar in range(12))
    best = 0.3 * kept / np.sqrt(12 + 0.3**2 * kept**2)

    for group in (1, 2):
        assert planted.by_group[group].ic > 0.55 * best


def test_it_states_probabilities_that_happen(planted):
    judged = planted.judged.where(planted.judged.group != 3)
    sure = judged.p_up > 0.65

    assert sure.sum() > 200
    assert (judged.forward_return[sure] > 0).mean() == pytest.approx(
        judged.p_up[sure].mean(), abs=0.08
    )
    assert planted.pooled.coverage == pytest.approx(0.9, abs=0.02)


def test_it_is_never_sure_of_noise(planted):
    noise = planted.calibrations.by_group[3]

    served = noise.platt.probability(np.array([-0.5, 0.0, 0.5]))

    assert np.abs(served - 0.5).max() < 0.1
    assert noise.gain * np.abs(served - 0.5).max() < 0.3


def test_it_finds_no_skill_in_noise():
    found = [fit({1: generate(3000, seed=seed)}).pooled.verdict for seed in range(100, 104)]

    assert found == [Verdict.NO_SKILL] * 4


def test_it_gives_the_same_bits_again():
    candles = {1: generate(2500, seed=5, ic=0.2)}

    first, second = fit(candles), fit(candles)

    assert [member.to_files() for member in first.members] == [
        member.to_files() for member in second.members
    ]
    assert first.calibrations == second.calibrations
    assert first.pooled == second.pooled


def test_it_is_not_fooled_by_overlapping_labels_as_shuffling_is():
    ours, shuffled = [], []
    for seed in range(6):
        rows = build_dataset({1: generate(30_000, seed=seed)}, spec=SPEC, horizon_bars=24)
        # Slow features name the place in time, and neighbours share their label.
        slow = np.cumsum(np.random.default_rng(seed + 50).standard_normal((len(rows), 6)), axis=0)
        rows = replace(rows, features=slow.astype(np.float32))
        ours.append(_auc(rows, _purged(rows)))
        shuffled.append(_auc(rows, KFold(5, shuffle=True, random_state=1).split(rows.features)))

    assert np.mean(ours) == pytest.approx(0.5, abs=0.02)
    assert np.mean(shuffled) > 0.75


def _purged(rows):
    folds = walk_forward(
        start_ms=rows.start_ms,
        end_ms=rows.end_ms,
        folds=5,
        first_fraction=0.3,
        embargo_ms=24 * HOUR_MS,
    )
    return [(fold.train, fold.test) for fold in folds]


def _auc(rows, folds):
    found = []
    for train, test in folds:
        model = KNeighborsClassifier(10)
        model.fit(rows.features[train], rows.is_up[train])
        score = model.predict_proba(rows.features[test])[:, 1]
        found.append(area_under_curve(score, rows.is_up[test]))
    return float(np.mean(found))


def test_it_shows_a_planted_leak_as_too_good_to_be_true():
    rows = build_dataset({1: generate(3000, seed=9)}, spec=SPEC, horizon_bars=12)
    leaking = rows.features.copy()
    leaking[:, SPEC.names.index("return_1")] = rows.forward_return / rows.horizon_sigma

    honest, leaked = fit(None, dataset=rows), fit(None, dataset=replace(rows, features=leaking))

    assert honest.pooled.auc < 0.55
    assert leaked.pooled.auc > 0.9


def test_it_judges_only_what_lies_after_the_first_calibration(planted):
    rows = planted.judged_rows

    assert len(np.unique(rows)) == len(rows) == planted.pooled.rows
    assert (np.diff(planted.judged.time_ms) >= 0).all()


def test_it_says_what_is_missing_when_there_is_too_little_history():
    with pytest.raises(TooFewCandles, match=r"needs 1500 usable candles, there are \d+.*backfill"):
        fit({1: generate(1200, seed=1)})


def test_it_does_not_learn_from_a_market_that_only_rises():
    rising = generate(3000, seed=1)
    steps = np.arange(3000)
    close = 100.0 * 1.001**steps
    rising = replace(rising, open=close, close=close, high=close * 1.0001, low=close * 0.9999)

    with pytest.raises(TooFewCandles, match="one direction"):
        fit({1: rising})
