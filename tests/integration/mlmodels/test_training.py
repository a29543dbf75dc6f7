from datetime import timedelta

import pytest

from alerts.models import Alert
from core.errors import Conflict
from core.models import AuditRecord
from mlmodels.adapters.artifact_store import FolderArtifactStore
from mlmodels.models import MLSettings, ModelAlias, ModelVersion, TrainingRun
from mlmodels.ports import StoredArtifact
from mlmodels.selectors import get_champion
from mlmodels.services import training
from mlmodels.services.fitting import TooFewCandles
from tests.integration.mlmodels.conftest import H1, NOW, add_market, moment


def test_it_trains_judges_keeps_and_promotes_the_first(market, train, store):
    version = ModelVersion.objects.get(pk=train(market))

    verdicts = {key: found["verdict"] for key, found in version.symbol_metrics.items()}
    first, second, noise = (str(instrument.pk) for instrument in market)
    assert verdicts == {first: "SKILLED", second: "SKILLED", noise: "NO_SKILL"}
    assert (version.state, version.verdict) == ("CHAMPION", "SKILLED")
    assert version.state_reason == "the first model of its timeframe"
    # the last label of the training ends with the last candle
    assert version.trained_until == NOW
    assert version.run.status == "SUCCEEDED"
    assert version.run.rows == 3 * (2400 - 96 - 12)
    assert set(version.run.libraries) == {"xgboost", "scikit-learn", "scipy", "numpy"}
    assert get_champion("1h").version_id == version.pk
    files = store.load(
        StoredArtifact(artifact_id=version.artifact_id, manifest_sha256=version.manifest_sha256)
    )
    assert sorted(files) == [
        "calibration.json",
        "feature_spec.json",
        "logistic.json",
        "metrics.json",
        "model.ubj",
    ]
    assert AuditRecord.objects.filter(action="model.promote").count() == 1


def test_it_gives_the_same_bits_for_the_same_candles(market, train):
    first, second = (ModelVersion.objects.get(pk=train(market)) for _ in range(2))

    assert first.manifest_sha256 == second.manifest_sha256
    assert first.run.data_sha256 == second.run.data_sha256
    assert first.artifact_id != second.artifact_id


def test_it_serves_a_first_model_without_skill_and_says_so(db, train):
    noise = add_market("NOISEUSDT", seed=11)

    version = ModelVersion.objects.get(pk=train([noise]))

    assert (version.state, version.verdict) == ("CHAMPION", "NO_SKILL")
    assert Alert.objects.filter(code="MODEL_NO_SKILL").count() == 1


def test_it_replaces_the_champion_by_a_fresher_one_of_its_recipe(market, train):
    old = train(market, now=moment(200))
    new = train(market)

    states = dict(ModelVersion.objects.values_list("id", "state"))
    assert states == {old: "PREVIOUS", new: "CHAMPION"}
    assert "not worse" in ModelVersion.objects.get(pk=new).state_reason
    alias = ModelAlias.objects.get(scope="1h")
    assert (alias.version_id, alias.epoch) == (new, 2)


def test_it_leaves_another_recipe_to_the_operator(market, train):
    champion = train(market)
    candidate = ModelVersion.objects.get(pk=train(market, recipe="logistic"))

    assert candidate.state == "CANDIDATE"
    assert "promote by hand" in candidate.state_reason
    assert get_champion("1h").version_id == champion


def test_it_says_what_is_missing_and_frees_the_timeframe(db, train):
    young = add_market("YOUNGUSDT", seed=1, bars=300)

    with pytest.raises(TooFewCandles, match="backfill"):
        train([young])

    run = TrainingRun.objects.get()
    assert run.status == "FAILED"
    assert "TooFewCandles" in run.error
    assert run.finished_at == NOW
    assert Alert.objects.filter(code="MODEL_TRAINING_FAILED").count() == 1
    with pytest.raises(TooFewCandles):
        train([young])


def test_it_trains_a_timeframe_once_at_a_time(market, train, monkeypatch):
    seen = []

    def meddle(done, total, message):
        if not seen:
            with pytest.raises(Conflict, match="being trained already") as caught:
                train(market)
            seen.append(caught.value.context)

    train(market, progress=meddle)

    assert seen == [{"scope": "1h"}]
    assert TrainingRun.objects.count() == 1


def test_it_takes_over_from_a_worker_that_was_lost(market, train):
    TrainingRun.objects.create(
        scope="1h",
        recipe="xgboost+logistic",
        horizon_bars=12,
        trigger="interval",
        seed=1,
        started_at=NOW - timedelta(hours=2),
        lease_until=NOW - timedelta(hours=1),
    )

    train(market)

    runs = list(TrainingRun.objects.order_by("id").values_list("status", "error"))
    assert runs == [("FAILED", "the worker was lost"), ("SUCCEEDED", "")]


def test_it_keeps_no_version_when_the_files_cannot_be_written(market, train, tmp_path):
    class FullDisk(FolderArtifactStore):
        def save(self, files):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        train(market, store=FullDisk(tmp_path))

    assert not ModelVersion.objects.exists()
    assert TrainingRun.objects.get().status == "FAILED"


def test_it_leaves_no_half_version_when_promotion_fails(market, train, monkeypatch):
    def fail(**_):
        raise RuntimeError("the database went away")

    monkeypatch.setattr(training, "promote", fail)

    with pytest.raises(RuntimeError, match="went away"):
        train(market)

    assert not ModelVersion.objects.exists()
    assert not ModelAlias.objects.exists()
    assert TrainingRun.objects.get().status == "FAILED"


def test_it_trains_on_no_more_candles_than_the_settings_say(market, train):
    MLSettings.objects.create(train_bars=2000)

    version = ModelVersion.objects.get(pk=train(market))

    assert version.run.rows == 3 * (2000 - 96 - 12)
    assert version.scope == H1.value
