from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.models import Alert
from markets.models import Candle
from markets.selectors import forget_rules, list_rules, load_window
from markets.services.windows import WindowStore
from mlmodels.adapters.factory import get_all_trainers
from mlmodels.adapters.sklearn_trainers import LogisticModel, LogisticTrainer
from mlmodels.domain.ensemble import LinearModel
from mlmodels.domain.features import compute
from mlmodels.domain.prediction import PredictionState
from mlmodels.models import MLSettings, ModelVersion, Prediction
from mlmodels.services.inference import predict_close
from mlmodels.services.promotion import promote, rollback
from mlmodels.services.serving import ModelCache
from tests.integration.mlmodels.conftest import H1, NOW, add_instrument, add_market, moment

# Of the pool's default features at 1 h.
WARMUP = 216


def predict(instruments, *, windows, models, close_time=NOW):
    return predict_close(
        timeframe="1h",
        close_time=close_time,
        instrument_ids=[instrument.pk for instrument in instruments],
        windows=windows,
        models=models,
        now=NOW,
    )


def test_it_says_that_there_is_no_model(market, cache, windows):
    views = predict(market, windows=windows, models=cache)

    assert [view.state for view in views] == [PredictionState.NO_MODEL] * 3
    assert not Prediction.objects.exists()


def test_it_predicts_in_order_and_distrusts_the_noise(market, train, cache, windows):
    version = train(market)

    views = predict(market[::-1], windows=windows, models=cache)

    assert [view.instrument_id for view in views] == [row.pk for row in market[::-1]]
    assert [view.state for view in views] == [
        PredictionState.NO_SKILL,
        PredictionState.OK,
        PredictionState.OK,
    ]
    for view in views:
        row = Prediction.objects.get(pk=view.prediction_id)
        assert (row.model_version_id, row.instrument_id) == (version, view.instrument_id)
        assert (row.timestamp, row.close_time, row.resolves_at) == (NOW, NOW, moment(-12))
        assert (row.p_up, row.expected_return) == (view.p_up, view.expected_return)
        assert (row.realized_return, row.error, row.resolved_at) == (None, None, None)
        assert (row.interval_scale, row.dissimilarity) == (1.0, view.dissimilarity)
        assert 0.3 < view.dissimilarity < 2.0
        assert view.lower < view.upper
        assert view.sigma > 0


class Constant(LogisticTrainer):
    """A trainer whose models say the same of everything, and are very sure of it."""

    def fit(self, rows, *, seed):
        width = rows.features.shape[1]
        linear = LinearModel(
            mean=(0.0,) * width, scale=(1.0,) * width, weights=(0.0,) * width, intercept=3.0
        )
        return LogisticModel(linear)


def test_a_model_that_always_says_the_same_is_believed_on_no_symbol(market, train, cache, windows):
    version = ModelVersion.objects.get(pk=train(market, recipe="logistic", trainers=[Constant()]))

    views = predict(market, windows=windows, models=cache)

    # Two of the symbols can be foretold, and a coin that always shows "up" foretells neither.
    assert version.verdict == "NO_SKILL"
    assert {found["verdict"] for found in version.symbol_metrics.values()} == {"NO_SKILL"}
    assert [view.state for view in views] == [PredictionState.NO_SKILL] * 3
    assert Alert.objects.filter(code="MODEL_NO_SKILL").exists()


def test_it_predicts_live_what_training_would_have_seen(market, train, cache, windows):
    train(market)
    model = cache.champion("1h")
    instrument = market[0]
    history = load_window(instrument_id=instrument.pk, timeframe=H1)
    spec = model.bundle.spec
    references = {
        row.symbol: load_window(instrument_id=row.pk, timeframe=H1)
        for row in market
        if row.symbol in spec.symbols
    }
    features = compute(history, spec, references=references)
    group = np.full(len(features.sigma), instrument.pk)
    batch = model.predict(features, group)

    for bars_before in (0, 1, 57, 300):
        view = predict(
            [instrument], windows=WindowStore(), models=cache, close_time=moment(bars_before)
        )[0]
        row = len(features.sigma) - 1 - bars_before
        assert view.p_up == batch.p_up[row]
        assert view.expected_return == batch.expected_return[row]
        assert (view.lower, view.upper) == (batch.lower[row], batch.upper[row])


def test_it_changes_nothing_when_delivered_twice(market, train, cache, windows):
    train(market)

    first = predict(market, windows=windows, models=cache)
    second = predict(market, windows=windows, models=cache)

    assert second == first
    assert Prediction.objects.count() == 3


def test_it_does_not_predict_without_a_whole_warm_up(market, train, cache, windows):
    train(market)
    young = add_market("YOUNGUSDT", seed=8, bars=WARMUP - 1)
    unknown = add_instrument("UNKNOWNUSDT")
    gapped = add_market("GAPUSDT", seed=9, bars=300)
    Candle.objects.filter(instrument=gapped, open_time=moment(40)).delete()
    late = add_market("LATEUSDT", seed=10, bars=300)
    Candle.objects.filter(instrument=late, open_time=moment(1)).delete()

    views = predict([market[0], young, unknown, gapped, late], windows=windows, models=cache)

    assert [view.state for view in views] == [
        PredictionState.OK,
        *[PredictionState.TOO_FEW_CANDLES] * 4,
    ]
    assert [view.prediction_id is None for view in views] == [False, True, True, True, True]
    assert Prediction.objects.count() == 1


def test_it_has_no_skill_on_a_symbol_it_was_not_judged_on(market, train, cache, windows):
    train(market[:2])

    views = predict(market, windows=windows, models=cache)

    assert views[2].state is PredictionState.NO_SKILL


@pytest.mark.parametrize("is_warm", [False, True])
def test_it_needs_as_many_queries_for_fifty_symbols_as_for_one(
    market, train, cache, windows, is_warm
):
    train(market)
    many = [add_market(f"S{n:02}USDT", seed=n, bars=WARMUP + 3) for n in range(50)]
    forget_rules()
    list_rules()
    counts = []
    for symbols in (many[:1], many):
        cold = WindowStore()
        if is_warm:
            predict(symbols, windows=cold, models=cache, close_time=moment(1))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            views = predict(symbols, windows=cold, models=cache)
        assert {view.state for view in views} == {PredictionState.NO_SKILL}
        kinds = [
            query["sql"].split()[0]
            for query in queries
            if not query["sql"].startswith(("SAVEPOINT", "RELEASE"))
        ]
        # SQLite takes a thousand values at once: wide rows go in several statements of the same.
        counts.append([kind for kind, _ in groupby(kinds)])

    assert len(counts[0]) == len(counts[1]) <= 6, counts


def test_it_serves_the_new_champion_from_the_next_close_on(market, train, cache, windows):
    first = train(market)
    before = predict(market, windows=windows, models=cache)
    second = train(market, recipe="logistic")
    promote(version_id=second, reason="try it", actor="ann", now=NOW)

    after = predict(market, windows=windows, models=cache)
    rollback(version_id=second, reason="worse", actor="ann", now=NOW)
    again = predict(market, windows=windows, models=cache)

    assert {view.model_version_id for view in before} == {first}
    assert {view.model_version_id for view in after} == {second}
    assert again == before
    assert Prediction.objects.count() == 6


def test_it_refuses_a_changed_model_loudly_and_predicts_nothing(market, train, store, windows):
    version = ModelVersion.objects.get(pk=train(market))
    path = store.root / str(version.artifact_id) / "model.ubj"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(bytes(content))
    fresh = ModelCache(store=store, trainers=get_all_trainers())

    views = predict(market, windows=windows, models=fresh)

    assert {view.state for view in views} == {PredictionState.NO_MODEL}
    alert = Alert.objects.get(code="MODEL_ARTIFACT_REFUSED")
    assert alert.severity == "CRITICAL"
    assert alert.context["file"] == "model.ubj"


def test_it_stores_no_answer_that_is_no_number_and_says_so(market, train, cache, windows):
    train(market)
    served = cache.champion("1h")

    class Broken:
        def margins(self, features):
            return np.full(len(features), np.nan)

    class Source:
        def champion(self, scope):
            return replace(served, members=(Broken(),))

    with np.errstate(invalid="ignore"):
        views = predict(market, windows=windows, models=Source())

    assert {view.state for view in views} == {PredictionState.NO_SKILL}
    assert {view.p_up for view in views} == {None}
    assert not Prediction.objects.exists()
    assert Alert.objects.get(code="MODEL_NO_NUMBERS").context["symbols"] == len(market)


def test_it_answers_the_query_that_people_run(market, train, cache, windows):
    train(market)
    predict(market, windows=windows, models=cache)
    Prediction.objects.update(timestamp="2999-01-01T00:00:00Z", error=0.5)
    since = "NOW() - INTERVAL '24 hours'"
    if connection.vendor == "sqlite":
        since = "datetime('now', '-24 hours')"

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT model_name, AVG(ABS(error)) as avg_error FROM model_predictions "  # noqa: S608
            f"WHERE timestamp > {since} GROUP BY model_name;"
        )
        found = cursor.fetchall()

    assert found == [("xgboost+logistic 1h h12", 0.5)]


def test_a_meta_label_is_served_in_the_words_of_the_price(market, train, cache, windows):
    """Learned is whether the rule is right; said is whether the price rises."""
    MLSettings.objects.create(label_primary="ema_cross_24")
    version = ModelVersion.objects.get(pk=train(market))
    model = cache.champion("1h")

    views = [
        view
        for bars_before in range(60)
        for view in predict(
            market[:2], windows=windows, models=cache, close_time=moment(bars_before)
        )
    ]

    assert version.label["primary"] == "ema_cross_24"
    names = model.bundle.spec.names
    sides, rights = [], []
    for view in views:
        row = Prediction.objects.get(pk=view.prediction_id)
        features = np.frombuffer(bytes(row.features), "<f4")[None]
        sides.append(-1 if features[0, names.index("ema_cross_24")] < 0 else 1)
        p = model.bundle.calibrations.apply(
            model.margins(features), np.array([row.horizon_sigma]), np.array([row.instrument_id])
        )
        rights.append(float(p.p_up[0]))
        assert row.lower < row.expected_return < row.upper
    assert set(sides) == {1, -1}
    ups = [p if side > 0 else 1 - p for side, p in zip(sides, rights, strict=True)]
    assert [view.p_up for view in views] == pytest.approx(ups)
