from alerts.models import Alert
from markets.models import Candle
from mlmodels.models import Prediction
from mlmodels.services.feature_parity import verify_features
from tests.integration.mlmodels.conftest import NOW, moment
from tests.integration.mlmodels.test_inference import predict


def test_it_finds_that_what_served_is_what_the_candles_give(market, train, cache, windows):
    train(market)
    for bars_before in (5, 3, 0):
        predict(market, windows=windows, models=cache, close_time=moment(bars_before))

    found = verify_features(scope="1h", now=NOW)

    assert (found.compared, found.differing, found.columns) == (9, 0, {})
    assert not Alert.objects.filter(code="FEATURES_DIFFER").exists()


def test_it_names_the_columns_that_a_revised_candle_changed(market, train, cache, windows):
    train(market)
    predict(market, windows=windows, models=cache)
    Candle.objects.filter(instrument=market[2], open_time=moment(1)).update(volume="77")

    found = verify_features(scope="1h", now=NOW)

    # the third symbol itself, and the others that compare their takers with the market's
    assert found.compared == 3
    assert found.differing == 3
    assert {"volume_z_48", "taker_volume_6", "market_taker_6"} <= set(found.columns)
    assert found.columns["volume_z_48"] == 1
    assert "FEATURES_DIFFER" in set(Alert.objects.values_list("code", flat=True))


def test_it_says_which_vectors_cannot_be_made_again(market, train, cache, windows):
    train(market)
    predict(market, windows=windows, models=cache)
    Candle.objects.filter(instrument=market[0], open_time=moment(50)).delete()

    found = verify_features(scope="1h", now=NOW)

    assert found.columns["*"] == 1
    assert Prediction.objects.count() == 3


def test_it_has_nothing_to_compare_before_the_first_model(db):
    assert verify_features(scope="1h", now=NOW).compared == 0
