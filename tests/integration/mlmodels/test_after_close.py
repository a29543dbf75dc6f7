import numpy as np
import pytest

from mlmodels.models import ModelVersion, Prediction, PredictionExplanation
from mlmodels.selectors import get_explanation
from mlmodels.services.after_close import explain_predictions, shadow_close
from tests.integration.mlmodels.conftest import H1, NOW, moment
from tests.integration.mlmodels.test_inference import predict


@pytest.fixture
def close(market):
    return {"timeframe": H1, "close_time": NOW, "instrument_ids": [row.pk for row in market]}


def test_it_explains_each_prediction_once(market, train, cache, windows, close):
    version = ModelVersion.objects.get(pk=train(market))
    views = predict(market, windows=windows, models=cache)

    assert explain_predictions(H1, models=cache, now=NOW) == 3
    assert explain_predictions(H1, models=cache, now=NOW) == 0

    found = PredictionExplanation.objects.get(prediction_id=views[0].prediction_id)
    assert len(found.top_features) == 8
    assert {row["feature"] for row in found.top_features} <= set(version.feature_spec["names"])
    # the planted signal shows in who takes
    assert any(row["feature"].startswith("taker") for row in found.top_features[:3])
    assert len(found.nearest_cases) == 3
    assert found.nearest_cases[0]["distance"] <= found.nearest_cases[1]["distance"]
    assert found.dissimilarity == pytest.approx(found.nearest_cases[0]["distance"], abs=1e-3)


def test_it_makes_up_for_closes_whose_message_was_lost(market, train, cache, windows):
    train(market)
    predict(market, windows=windows, models=cache)
    Prediction.objects.update(close_time=NOW - 30 * H1.delta)
    predict(market, windows=windows, models=cache)

    assert explain_predictions(H1, models=cache, now=NOW) == 6
    assert not Prediction.objects.filter(explanation=None).exists()


def test_it_explains_the_last_word_of_a_champion_that_was_replaced(market, train, cache, windows):
    before = train(market)
    views = predict(market, windows=windows, models=cache)
    after = train(market)

    assert explain_predictions(H1, models=cache, now=NOW) == 3
    assert explain_predictions(H1, models=cache, now=NOW) == 0

    assert cache.champion("1h").version_id == after != before
    assert all(get_explanation(view.prediction_id)["top_features"] for view in views)


def test_a_replaced_champion_that_cannot_be_read_is_left_out(
    market, train, cache, windows, store, caplog
):
    train(market)
    predict(market, windows=windows, models=cache)
    artifact = ModelVersion.objects.get().artifact_id
    train(market)
    for path in (store.root / str(artifact)).iterdir():
        path.write_bytes(b"changed")
    predict(market, windows=windows, models=cache, close_time=moment(1))

    assert explain_predictions(H1, models=cache, now=NOW) == 3
    assert "explain.refused" in caplog.text


def test_its_contributions_add_up_to_what_was_said(market, train, cache, windows):
    train(market)
    model = cache.champion("1h")
    predict(market, windows=windows, models=cache)

    rows = list(Prediction.objects.order_by("id"))
    features = np.stack([np.frombuffer(bytes(row.features), "<f4") for row in rows])

    added = model.contributions(features).sum(axis=1)

    # what is left is each member's constant
    rest = model.margins(features) - added
    assert rest == pytest.approx(np.full(3, rest[0]), abs=1e-4)


def test_it_lets_the_challenger_predict_beside_the_champion(market, train, cache, windows, close):
    champion = train(market)
    challenger = train(market, recipe="logistic")

    assert shadow_close(**close, windows=windows, models=cache, now=NOW) == 3
    assert shadow_close(**close, windows=windows, models=cache, now=NOW) == 3

    rows = Prediction.objects.filter(model_version_id=challenger)
    assert list(rows.values_list("is_shadow", flat=True)) == [True] * 3
    assert not Prediction.objects.filter(model_version_id=champion).exists()


def test_it_keeps_the_one_before_at_hand_for_a_week(market, train, cache, windows, close):
    before = train(market)
    train(market)

    shadow_close(**close, windows=windows, models=cache, now=NOW)

    assert Prediction.objects.filter(model_version_id=before, is_shadow=True).count() == 3
