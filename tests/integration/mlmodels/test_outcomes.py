from datetime import timedelta

import pytest
from django.db.models import Q

from markets.models import Candle
from markets.selectors import load_window
from markets.services.windows import WindowStore
from mlmodels.adapters.factory import get_all_trainers
from mlmodels.models import Prediction
from mlmodels.services.outcomes import LOOK_BACK, score_outcomes
from mlmodels.services.serving import ModelCache
from tests.integration.mlmodels.conftest import H1, NOW, moment
from tests.integration.mlmodels.test_inference import predict


@pytest.fixture
def predicted(market, train, cache, windows):
    """Predictions of three closes: two whose horizon has passed, one whose has not."""
    train(market)
    for bars_before in (30, 12, 11):
        predict(market, windows=windows, models=cache, close_time=moment(bars_before))
    return market


def test_it_joins_what_happened_and_nothing_before_its_time(predicted):
    resolved = score_outcomes(now=NOW)

    assert resolved == 6
    for row in Prediction.objects.filter(resolved_at=NOW):
        window = load_window(
            instrument_id=row.instrument_id,
            timeframe=H1,
            start=row.close_time - H1.delta,
            end=row.resolves_at,
        )
        assert len(window) == 13
        assert row.realized_return == pytest.approx(window.close[-1] / window.close[0] - 1)
        assert row.error == row.expected_return - row.realized_return
    waiting = Prediction.objects.filter(close_time=moment(11))
    assert (
        list(waiting.values_list("realized_return", "error", "resolved_at"))
        == [(None, None, None)] * 3
    )


def test_it_changes_nothing_the_second_time(predicted):
    score_outcomes(now=NOW)
    before = list(Prediction.objects.order_by("id").values())

    assert score_outcomes(now=NOW + timedelta(minutes=5)) == 0
    assert list(Prediction.objects.order_by("id").values()) == before


def test_it_leaves_null_where_a_candle_is_missing_until_it_comes(predicted):
    candle = Candle.objects.get(instrument=predicted[0], open_time=moment(30) - H1.delta)
    candle.delete()

    assert score_outcomes(now=NOW) == 5
    lonely = Prediction.objects.get(instrument=predicted[0], close_time=moment(30))
    assert (lonely.realized_return, lonely.error, lonely.resolved_at) == (None, None, None)

    candle.save(force_insert=True)

    assert score_outcomes(now=NOW) == 1


def test_it_stops_looking_for_candles_that_never_came(predicted):
    Candle.objects.filter(instrument=predicted[0], open_time=moment(30) - H1.delta).delete()
    score_outcomes(now=NOW)

    assert score_outcomes(now=NOW + LOOK_BACK + timedelta(days=1)) == 0


def test_every_outcome_is_joined_in_time_across_a_restart(market, train, store):
    """A worker that was away for six closes left no prediction then, and no zero in its place."""
    train(market, recipe="logistic")
    away = [moment(bars) for bars in range(25, 19, -1)]
    for bars in range(40, -1, -1):
        now = moment(bars)
        if now in away:
            continue
        if bars > 12:
            # a process that starts anew knows nothing of the one before it
            cache = ModelCache(store=store, trainers=get_all_trainers())
            predict(market, windows=WindowStore(), models=cache, close_time=now)
        score_outcomes(now=now)

    due = Prediction.objects.filter(resolves_at__lte=NOW)
    assert due.count() == len(market) * (28 - len(away))
    assert not due.filter(close_time__in=away).exists()
    assert not due.filter(Q(realized_return__isnull=True) | Q(realized_return=0)).exists()
    for row in due:
        running_from = moment(19) if row.resolves_at in away else row.resolves_at
        assert row.resolves_at <= row.resolved_at <= running_from + 2 * H1.delta
