from datetime import timedelta

import numpy as np
import pytest

from alerts.models import Alert
from core.models import AuditRecord
from mlmodels.domain.prediction import PredictionState
from mlmodels.models import DriftMetric, ModelAlias, ModelVersion, Prediction, RollingMetric
from mlmodels.selectors import get_champion
from mlmodels.services.outcomes import score_outcomes
from mlmodels.services.watching import watch_models
from tests.integration.mlmodels.conftest import NOW, moment
from tests.integration.mlmodels.test_inference import predict

FEATURES = 60


def outcomes(version_id, market, *, worth, rows=700, is_shadow=False, drifted=False, seed=1):
    """Store resolved predictions whose signal is worth `worth` (correlation)."""
    rng = np.random.default_rng(seed)
    signal, noise = rng.standard_normal((2, rows))
    outcome = worth * signal + np.sqrt(1 - worth**2) * noise
    spec = ModelVersion.objects.get(pk=version_id).feature_spec
    stored = []
    for n in range(rows):
        p_up = 1 / (1 + np.exp(-0.8 * signal[n]))
        vector = rng.standard_normal(len(spec["names"])).astype("<f4") + (20.0 if drifted else 0.0)
        stored.append(
            Prediction(
                model_version_id=version_id,
                model_name="m",
                instrument=market[n % 2],
                timeframe="1h",
                timestamp=moment(rows - n),
                close_time=moment(rows - n),
                horizon_bars=12,
                resolves_at=NOW,
                state="OK",
                p_up=p_up,
                expected_return=(p_up - 0.5) * 0.02,
                lower=-0.04,
                upper=0.04,
                sigma=0.02,
                horizon_sigma=0.02 if n % 3 else 0.05,
                base_rate=0.5,
                features=vector.tobytes(),
                is_shadow=is_shadow,
                realized_return=outcome[n] * 0.02,
                error=0.0,
                resolved_at=NOW,
                created_at=NOW,
            )
        )
    Prediction.objects.bulk_create(stored)


def test_it_measures_by_symbol_and_regime(market, train, cache):
    version = train(market)
    outcomes(version, market, worth=0.4)

    watch_models(models=cache, now=NOW)

    found = RollingMetric.objects.filter(version_id=version)
    keys = {(row.instrument_id, row.regime) for row in found}
    symbols = (None, market[0].pk, market[1].pk)
    assert keys == {(key, regime) for key in symbols for regime in ("ALL", "CALM", "WILD")}
    pooled = found.get(instrument=None, regime="ALL")
    assert (pooled.rows, pooled.at) == (700, NOW)
    assert pooled.ic == pytest.approx(0.4, abs=0.1)
    assert pooled.brier_skill > 0.05
    assert 0.7 < pooled.calibration_slope < 1.4
    assert pooled.mean_absolute_error < pooled.baseline_error


def test_it_measures_drift_against_what_undrifted_weeks_show(market, train, cache):
    version = train(market)
    outcomes(version, market, worth=0.4, rows=200, drifted=True)

    watch_models(models=cache, now=NOW)

    found = list(DriftMetric.objects.filter(version_id=version))
    assert len(found) == 10
    assert all(row.psi > row.threshold > 0 for row in found)


def test_it_stops_believing_a_model_that_lost_its_skill_and_believes_it_again(
    market, train, cache, windows
):
    version = train(market)
    outcomes(version, market, worth=-0.4)

    watch_models(models=cache, now=NOW)
    watch_models(models=cache, now=NOW)

    assert ModelVersion.objects.get(pk=version).suspended_at == NOW
    assert AuditRecord.objects.filter(action="model.suspend").count() == 1
    assert Alert.objects.filter(code="MODEL_LOST_SKILL").count() == 1
    views = predict(market, windows=windows, models=cache)
    assert {view.state for view in views} == {PredictionState.NO_SKILL}

    Prediction.objects.all().delete()
    outcomes(version, market, worth=0.4)
    watch_models(models=cache, now=NOW)

    assert ModelVersion.objects.get(pk=version).suspended_at is None
    assert cache.champion("1h").is_suspended is False


def test_it_takes_back_a_champion_that_is_worse_than_before_and_than_nothing(market, train, cache):
    before, champion = train(market), train(market)
    outcomes(champion, market, worth=-0.6)
    outcomes(before, market, worth=-0.6, is_shadow=True)
    rows = list(Prediction.objects.filter(model_version_id=before))
    for row in rows:
        row.p_up = 1 - row.p_up
    Prediction.objects.bulk_update(rows, ["p_up"])

    watch_models(models=cache, now=NOW)

    states = dict(ModelVersion.objects.values_list("id", "state"))
    assert states == {before: "CHAMPION", champion: "REJECTED"}
    assert Alert.objects.get(code="MODEL_ROLLED_BACK").severity == "ERROR"


@pytest.mark.parametrize(
    ("worth", "state"), [(0.9, "CHAMPION"), (-0.9, "REJECTED"), (0.2, "SHADOW")]
)
def test_it_lets_the_challenger_win_by_what_it_showed(market, train, cache, worth, state):
    champion = train(market)
    challenger = train(market, recipe="logistic")
    # both hear the same signal; what the champion says of it is worth little
    outcomes(challenger, market, worth=worth, is_shadow=True)
    outcomes(champion, market, worth=worth)
    rows = list(Prediction.objects.filter(model_version_id=champion))
    for row in rows:
        row.p_up = 0.5 if state != "SHADOW" else row.p_up
    Prediction.objects.bulk_update(rows, ["p_up"])

    watch_models(models=cache, now=NOW)

    assert ModelVersion.objects.get(pk=challenger).state == state
    assert (get_champion("1h").version_id == challenger) is (state == "CHAMPION")


def test_it_looks_at_a_challenger_once_a_day(market, train, cache):
    train(market)
    challenger = train(market, recipe="logistic")
    outcomes(challenger, market, worth=0.2, is_shadow=True)

    for hours in (0, 1, 23, 25):
        watch_models(models=cache, now=NOW + timedelta(hours=hours))

    looks = RollingMetric.objects.filter(
        version_id=challenger, instrument=None, regime="ALL"
    ).values_list("at", flat=True)
    assert set(looks) == {NOW, NOW + timedelta(hours=25)}


def test_it_widens_the_intervals_of_a_symbol_that_they_miss(market, train, cache, windows):
    train(market)
    before = predict(market[:1], windows=windows, models=cache, close_time=moment(20))
    Prediction.objects.update(lower=0.5, upper=0.6)

    score_outcomes(now=NOW)

    scale = ModelAlias.objects.get().interval_scales[str(market[0].pk)]
    assert scale == pytest.approx(np.exp(0.018))
    after = predict(market[:2], windows=windows, models=cache, close_time=moment(20 - 1))
    assert cache.champion("1h").interval_scales == {market[0].pk: scale}
    assert before[0].upper - before[0].lower > 0
    assert Prediction.objects.get(pk=after[0].prediction_id).interval_scale == scale
    assert Prediction.objects.get(pk=after[1].prediction_id).interval_scale == 1.0
    assert after[0].lower < after[0].expected_return < after[0].upper
