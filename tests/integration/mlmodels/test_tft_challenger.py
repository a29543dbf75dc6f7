"""The transformer through the whole path: trained, on trial, predicting, promoted by hand."""

import importlib.util

import pytest

from mlmodels.adapters.factory import get_trainers
from mlmodels.models import ModelVersion, Prediction
from mlmodels.services.after_close import explain_predictions, shadow_close
from mlmodels.services.promotion import promote
from tests.integration.mlmodels.conftest import H1, NOW
from tests.integration.mlmodels.test_inference import predict

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="torch is not installed: make test-tft"
    ),
]


def test_it_enters_as_a_challenger_and_serves_like_any_other(market, train, cache, windows):
    trainers = get_trainers("tft", changes={"steps": 60})
    early = ModelVersion.objects.get(pk=train(market, trainers=trainers))
    champion = train(market)
    version = ModelVersion.objects.get(pk=train(market, trainers=trainers))
    close = {"timeframe": H1, "close_time": NOW, "instrument_ids": [row.pk for row in market]}

    assert (early.state, version.state) == ("SHADOW", "REJECTED")
    assert "only as a challenger" in early.state_reason
    assert shadow_close(**close, windows=windows, models=cache, now=NOW) == 3
    shadow = Prediction.objects.filter(model_version=early, is_shadow=True)
    assert all(row.lower < row.expected_return < row.upper for row in shadow)

    promote(version_id=early.pk, reason="a trial", actor="ann", now=NOW)
    assert ModelVersion.objects.get(pk=champion).state == "PREVIOUS"
    Prediction.objects.all().delete()
    views = predict(market, windows=windows, models=cache)
    assert [view.model_version_id for view in views] == [early.pk] * 3
    assert explain_predictions(H1, models=cache, now=NOW) == 3
    insight = early.metrics["insight"]["tft"]
    assert len(insight["attention"]) == 24
    assert "taker_1" in insight["variables"]
