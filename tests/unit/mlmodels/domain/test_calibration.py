import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from mlmodels.domain.calibration import (
    Calibration,
    CalibrationSet,
    fit_calibration,
    fit_calibrations,
    fit_platt,
    logistic_line,
)


def sample(rows, *, slope, intercept, seed):
    rng = np.random.default_rng(seed)
    margins = rng.normal(0.1, 0.4, rows)
    chance = 1 / (1 + np.exp(-(slope * margins + intercept)))
    return margins, rng.random(rows) < chance


def test_it_recovers_slope_and_intercept():
    margins, is_up = sample(200_000, slope=0.7, intercept=-0.2, seed=1)

    platt = fit_platt(margins, is_up)

    assert platt.slope == pytest.approx(0.7, abs=0.04)
    assert platt.intercept == pytest.approx(-0.2, abs=0.02)


def test_it_agrees_with_a_known_library():
    margins, is_up = sample(3000, slope=1.3, intercept=0.4, seed=2)
    known = LogisticRegression(C=1e9, tol=1e-10, max_iter=1000).fit(margins[:, None], is_up)

    slope, intercept = logistic_line(margins, is_up)

    assert slope == pytest.approx(float(known.coef_[0, 0]), rel=1e-3)
    assert intercept == pytest.approx(float(known.intercept_[0]), rel=1e-3)


def test_it_answers_the_base_rate_when_the_model_is_wrong_way_round():
    margins, is_up = sample(5000, slope=-0.8, intercept=0.3, seed=3)

    platt = fit_platt(margins, is_up)

    assert platt.slope == 0.0
    assert platt.probability(margins) == pytest.approx(np.full(5000, is_up.mean()))


@pytest.mark.parametrize("outcome", [True, False])
def test_it_stays_finite_when_only_one_outcome_happened(outcome):
    platt = fit_platt(np.linspace(-1, 1, 100), np.full(100, outcome))

    assert platt.slope == 0.0
    assert platt.probability(np.zeros(1))[0] == pytest.approx(0.995 if outcome else 0.005)


def test_it_stays_finite_when_a_line_separates_the_outcomes():
    margins = np.linspace(-1, 1, 100)

    platt = fit_platt(margins, margins > 0)

    assert np.isfinite([platt.slope, platt.intercept]).all()
    assert platt.slope > 1


def test_it_keeps_mass_scaled_intervals_honest():
    rng = np.random.default_rng(4)
    margins = rng.normal(0, 0.4, 20_000)
    sigma = rng.uniform(0.005, 0.05, 20_000)
    returns = (0.3 * margins + rng.standard_t(4, 20_000)) * sigma
    half = slice(None, 10_000), slice(10_000, None)

    fitted = fit_calibration(
        margins=margins[half[0]], forward_return=returns[half[0]], horizon_sigma=sigma[half[0]]
    )
    found = fitted.apply(margins[half[1]], sigma[half[1]])

    inside = (returns[half[1]] >= found.lower) & (returns[half[1]] <= found.upper)
    assert inside.mean() == pytest.approx(0.9, abs=0.01)
    calm = sigma[half[1]] < 0.01
    assert inside[calm].mean() == pytest.approx(0.9, abs=0.03)
    assert np.corrcoef(found.expected_return, 0.3 * margins[half[1]] * sigma[half[1]])[0, 1] > 0.99


def test_it_gives_each_symbol_its_own_confidence_when_it_has_the_rows():
    rng = np.random.default_rng(5)
    group = np.repeat(np.array([7, 8, 9]), [4000, 4000, 50])
    margins = rng.normal(0, 0.4, len(group))
    signal = np.where(group == 7, margins, -margins)
    returns = signal * 0.01 + rng.normal(0, 0.01, len(group))

    found = fit_calibrations(
        margins=margins,
        forward_return=returns,
        horizon_sigma=np.full(len(group), 0.01),
        group=group,
        own_rows=1000,
    )

    assert sorted(found.by_group) == [7, 8]
    assert found.by_group[7].platt.slope > 0.5
    assert found.by_group[8].platt.slope == 0.0
    assert found.by_group[8].gain == 0.0
    applied = found.apply(np.array([1.0, 1.0, 1.0]), np.full(3, 0.01), np.array([7, 8, 9]))
    alone = found.pooled.apply(np.array([1.0]), np.array([0.01]))
    assert applied.p_up[0] > 0.6
    assert applied.expected_return[1] == 0.0
    assert applied.p_up[2] == alone.p_up[0]


def test_it_survives_json():
    margins, is_up = sample(500, slope=1.0, intercept=0.0, seed=6)
    fitted = fit_calibration(
        margins=margins,
        forward_return=np.where(is_up, 0.01, -0.01),
        horizon_sigma=np.full(500, 0.01),
    )
    both = CalibrationSet(pooled=fitted, by_group={3: fitted})

    assert Calibration.from_json(fitted.to_json()) == fitted
    assert CalibrationSet.from_json(both.to_json()) == both


def test_it_refuses_to_scale_by_nothing():
    with pytest.raises(ValueError, match="horizon_sigma"):
        fit_calibration(
            margins=np.zeros(2), forward_return=np.zeros(2), horizon_sigma=np.array([0.01, 0.0])
        )
