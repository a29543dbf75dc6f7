import json
from datetime import timedelta

import numpy as np
import pytest

from alerts.models import Alert
from core.errors import Conflict, InvalidInput
from core.models import AuditRecord
from mlmodels.adapters.artifact_store import FolderArtifactStore
from mlmodels.domain import features
from mlmodels.models import MLSettings, ModelAlias, ModelVersion, TrainingRun, Trial
from mlmodels.ports import StoredArtifact
from mlmodels.selectors import get_champion
from mlmodels.services import leaks, training
from mlmodels.services.walking import TooFewCandles
from tests.integration.mlmodels.conftest import H1, NOW, add_market, moment

# Of the pool's default features at 1 h.
WARMUP = 216


def test_it_trains_judges_keeps_and_promotes_the_first(market, train, store):
    version = ModelVersion.objects.get(pk=train(market))

    verdicts = {key: found["verdict"] for key, found in version.symbol_metrics.items()}
    first, second, noise = (str(instrument.pk) for instrument in market)
    assert verdicts == {first: "SKILLED", second: "SKILLED", noise: "NO_SKILL"}
    assert (version.state, version.verdict) == ("CHAMPION", "SKILLED")
    # What needs no model, or only one of its members, is always shown beside it.
    assert set(version.metrics["baselines"]) == {
        *("momentum_24", "reversal_1", "martingale", "buy_and_hold"),
        *("xgboost", "logistic"),
    }
    assert version.state_reason == "the first model of its timeframe"
    # the last label of the training ends with the last candle
    assert version.trained_until == NOW
    assert version.run.status == "SUCCEEDED"
    assert version.run.rows == 3 * (2400 - WARMUP + 1 - 12)
    assert set(version.run.libraries) == {"xgboost", "scikit-learn", "scipy", "numpy"}
    assert get_champion("1h").version_id == version.pk
    files = store.load(
        StoredArtifact(artifact_id=version.artifact_id, manifest_sha256=version.manifest_sha256)
    )
    assert sorted(files) == [
        "calibration.json",
        "cases.json",
        "drift.json",
        "factor_weights.json",
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


def test_it_lets_another_recipe_challenge_the_champion(market, train):
    champion = train(market)
    challenger = ModelVersion.objects.get(pk=train(market, recipe="logistic"))
    alike = ModelVersion.objects.get(pk=train(market, recipe="logistic"))
    other = ModelVersion.objects.get(pk=train(market, recipe="xgboost"))

    assert challenger.state == "SHADOW"
    assert "another recipe" in challenger.state_reason
    assert (alike.state, alike.state_reason) == (
        "REJECTED",
        f"challenger {challenger.pk} of its kind is on trial",
    )
    states = dict(ModelVersion.objects.values_list("id", "state"))
    assert states == {
        champion: "CHAMPION",
        challenger.pk: "RETIRED",
        alike.pk: "REJECTED",
        other.pk: "SHADOW",
    }
    assert get_champion("1h").version_id == champion


def test_it_keeps_what_it_was_asked_and_what_was_tried(market, train):
    version = ModelVersion.objects.get(pk=train(market))

    gates = {gate.name: gate.is_passed for gate in version.gates.all()}
    assert {
        "artifact",
        "no_leak_features",
        "no_leak_labels",
        "no_leak_lag",
        "effective_rows",
        "ic_t",
        "brier_skill",
        "beats_momentum_24",
        "beats_reversal_1",
        "beats_martingale",
        "calibration_slope",
        "coverage",
    } <= set(gates)
    assert all(gates.values())
    trial = Trial.objects.get()
    assert (trial.run_id, trial.verdict, trial.horizon_bars) == (version.run_id, "SKILLED", 12)
    assert trial.choice["label"]["kind"] == "FORWARD"
    assert trial.data_sha256 == version.run.data_sha256


def test_it_never_lets_a_leaking_version_serve(market, train, monkeypatch):
    honest = features.compute

    def leaking(candles, spec, **given):
        found = honest(candles, spec, **given)
        close = candles.close[spec.warmup - 1 :]
        following = np.append(close[1:], close[-1:])
        found.values[:, 0] = following / close - 1.0
        return found

    monkeypatch.setattr(leaks, "compute", leaking)

    version = ModelVersion.objects.get(pk=train(market))

    assert (version.state, version.state_reason) == ("REJECTED", "failed no_leak_features")
    assert get_champion("1h") is None


def test_it_trains_on_the_labels_and_features_that_the_settings_name(market, train, store):
    MLSettings.objects.create(
        label="EXITS",
        feature_parameters={
            "features": ["rsi"],
            "include_timeframes": ["4h"],
            "indicator_periods_candles": [10],
            "include_shifted_candles": 1,
        },
    )

    version = ModelVersion.objects.get(pk=train(market))

    assert version.label["kind"] == "EXITS"
    stored = StoredArtifact(
        artifact_id=version.artifact_id, manifest_sha256=version.manifest_sha256
    )
    names = json.loads(store.load(stored)["feature_spec.json"])["names"]
    assert {"rsi_10", "rsi_10~1", "rsi_10@4h", "rsi_10@4h~1"} <= set(names)


def test_it_names_the_setting_that_cannot_be_read(market, train):
    MLSettings.objects.create(feature_parameters={"features": ["rsy"]})

    with pytest.raises(InvalidInput, match="feature_parameters: there is no feature 'rsy'"):
        train(market)


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

    assert version.run.rows == 3 * (2000 - WARMUP + 1 - 12)
    assert version.scope == H1.value
