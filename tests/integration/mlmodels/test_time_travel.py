"""The registry as it was: who served from when, and what a replay may not know."""

from datetime import timedelta

import pytest

from core.clock import from_ms, to_ms
from mlmodels.adapters.factory import get_all_trainers, get_artifact_store, get_trainers
from mlmodels.models import MLSettings, ModelAlias, ModelVersion, Prediction
from mlmodels.ports import silent
from mlmodels.services.time_travel import list_servings, load_versions
from mlmodels.services.training import train_model
from mlmodels.services.walk_forward import plan_like_live
from tests.integration.mlmodels.conftest import H1, NOW, add_market

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def instrument(settings, tmp_path):
    settings.MODEL_DIR = tmp_path / "models"
    return add_market("BTCUSDT", seed=1, ic=0.4)


def train(*instruments, now=NOW, seed=1):
    key = train_model(
        timeframe=H1,
        instrument_ids=[item.pk for item in instruments],
        horizon_bars=12,
        trigger="manual",
        seed=seed,
        trainers=get_trainers("logistic"),
        store=get_artifact_store(),
        now=now,
        progress=silent,
    )
    return ModelVersion.objects.get(pk=key)


def servings():
    found = list_servings(H1.value, store=get_artifact_store(), trainers=get_all_trainers())
    return [(from_ms(moment), model.version_id, model.is_suspended) for moment, model in found]


def predicted(version, instrument, close_time, *, is_shadow):
    Prediction.objects.create(
        model_version=version,
        model_name=version.name,
        instrument=instrument,
        timeframe=H1.value,
        timestamp=close_time,
        close_time=close_time,
        horizon_bars=12,
        resolves_at=close_time + 12 * H1.delta,
        state="OK",
        p_up=0.5,
        expected_return=0.0,
        lower=-1.0,
        upper=1.0,
        sigma=0.1,
        is_shadow=is_shadow,
        created_at=close_time,
    )


def test_a_walk_has_the_columns_and_the_label_of_a_training_now(instrument):
    other = add_market("ETHUSDT", seed=2)
    MLSettings.objects.create(
        label="BARRIER",
        feature_parameters={"features": ["return_1"], "include_corr_pairlist": ["BTCUSDT"]},
    )
    version = train(instrument, other)

    plan = plan_like_live(
        ["BTCUSDT", "ETHUSDT"],
        timeframe=H1,
        horizon_bars=12,
        begin_ms=0,
        every_bars=1,
        train_bars=1,
    )

    assert plan.spec.spec_hash == version.spec_hash
    assert plan.spec.symbols == ("BTCUSDT", "ETHUSDT")
    assert plan.label.to_json() == version.label


def test_a_version_serves_from_its_making_and_is_suspended_from_its_suspension(instrument):
    version = train(instrument)
    ModelVersion.objects.update(suspended_at=NOW + DAY)

    assert servings() == [(NOW, version.pk, False), (NOW + DAY, version.pk, True)]


def test_a_challenger_serves_from_its_first_prediction_that_counted(instrument):
    first = train(instrument)
    second = ModelVersion.objects.get(pk=train(instrument, now=NOW + DAY, seed=2).pk)
    ModelVersion.objects.filter(pk=first.pk).update(state="PREVIOUS", suspended_at=NOW + 3 * DAY)
    ModelVersion.objects.filter(pk=second.pk).update(state="RETIRED")
    predicted(second, instrument, NOW + DAY + H1.delta, is_shadow=True)
    on_trial = servings()
    predicted(second, instrument, NOW + 2 * DAY, is_shadow=False)

    # Superseded before it was suspended: it does not come back for that.
    assert [key for _, key, _ in on_trial] == [first.pk, first.pk]
    assert servings() == [(NOW, first.pk, False), (NOW + 2 * DAY, second.pk, False)]


def test_versions_are_given_as_trained(instrument):
    version = train(instrument)
    ModelVersion.objects.update(suspended_at=NOW)
    ModelAlias.objects.update(interval_scales={str(instrument.pk): 2.0})

    (model,) = load_versions(
        [version.pk], store=get_artifact_store(), trainers=get_all_trainers()
    ).values()

    assert (model.is_suspended, dict(model.interval_scales)) == (False, {})
    assert to_ms(version.created_at) == to_ms(NOW)
