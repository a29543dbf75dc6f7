from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from alerts.models import Alert
from core.clock import AffineClock
from core.processes import own_identity
from markets.models import Candle, Subscription
from mlmodels import tasks
from mlmodels.adapters import factory
from mlmodels.management.commands import retrain
from mlmodels.models import MLSettings, ModelVersion, Prediction, RetrainEvent, TrainingRun
from mlmodels.services.retraining import list_due
from tests.integration.mlmodels.conftest import NOW, add_market, moment
from tests.integration.mlmodels.test_inference import predict
from tradingsite.celery import app as celery_app


class StoppedClock(AffineClock):
    """Market time stands at NOW."""

    def now(self):
        return NOW


@pytest.fixture(autouse=True)
def _our_world(monkeypatch, store):
    celery_app.finalize()
    clock = StoppedClock()
    monkeypatch.setattr(tasks, "get_clock", lambda: clock)
    monkeypatch.setattr(retrain, "get_clock", lambda: clock)
    monkeypatch.setattr(factory, "get_artifact_store", lambda: store)
    monkeypatch.setattr(retrain, "get_artifact_store", lambda: store)


def test_it_prints_the_verdict_of_each_symbol_in_plain_words(market, capsys):
    call_command("retrain")

    text = capsys.readouterr().out
    lines = {line.split()[0]: line.split()[1] for line in text.splitlines() if "USDT" in line}
    assert "training 1h: walking forward" in text
    assert lines["AAAUSDT"] == lines["BBBUSDT"] == "SKILLED"
    assert lines["CCCUSDT"] == "NO_SKILL"
    assert "It foresees AAAUSDT, BBBUSDT better than chance" in text


def test_it_trains_what_it_is_told(market, capsys):
    call_command(
        "retrain",
        "--symbol",
        "cccusdt",
        "--timeframe",
        "1h",
        "--horizon",
        "6",
        "--model",
        "logistic",
    )

    version = ModelVersion.objects.get()
    assert (version.recipe, version.horizon_bars) == ("logistic", 6)
    assert list(version.symbol_metrics) == [str(market[2].pk)]
    assert "It foresees no symbol better than chance" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--symbol", "NOPEUSDT"], "NOPEUSDT"),
        (["--horizon", "0"], "--horizon must be 1 or more"),
        (["--timeframe", "5m"], "no symbol to train on"),
    ],
)
def test_it_says_what_is_wrong(market, options, problem):
    with pytest.raises(CommandError, match=problem):
        call_command("retrain", *options)


def test_it_asks_what_to_train_when_nothing_is_subscribed(db):
    with pytest.raises(CommandError, match="--timeframe and --symbol"):
        call_command("retrain")


def due(now):
    return [(found.timeframe, found.trigger, found.horizon_bars) for found in list_due(now=now)]


def test_it_is_due_at_first_and_then_after_the_interval(market, train):
    assert due(NOW) == [("1h", "first", 12)]

    train(market, horizon_bars=6)

    assert due(NOW + timedelta(hours=23, minutes=59)) == []
    assert due(NOW + timedelta(hours=24)) == [("1h", "interval", 6)]

    MLSettings.objects.create(retrain_interval_hours=48)

    assert due(NOW + timedelta(hours=24)) == []
    assert due(NOW + timedelta(hours=48)) == [("1h", "interval", 6)]


def test_it_asks_once_for_a_training_whose_worker_is_busy(market, train):
    train(market)

    assert due(NOW + timedelta(hours=24)) == [("1h", "interval", 12)]
    assert due(NOW + timedelta(hours=24, minutes=30)) == []
    # nobody took it: the message is lost
    assert due(NOW + timedelta(hours=26)) == [("1h", "interval", 12)]


def test_it_waits_before_it_tries_again_what_failed(market):
    TrainingRun.objects.create(
        scope="1h",
        recipe="ensemble",
        horizon_bars=12,
        trigger="first",
        seed=1,
        status="FAILED",
        started_at=NOW,
        lease_until=NOW,
    )

    assert due(NOW + timedelta(hours=5)) == []
    assert due(NOW + timedelta(hours=6)) == [("1h", "retry", 12)]


def test_it_does_not_start_a_second_training_beside_a_running_one(market):
    TrainingRun.objects.create(
        scope="1h",
        recipe="ensemble",
        horizon_bars=12,
        trigger="first",
        seed=1,
        started_at=NOW - timedelta(days=3),
        lease_until=NOW + timedelta(minutes=1),
    )

    assert due(NOW) == []
    assert due(NOW + timedelta(minutes=1)) == [("1h", "retry", 12)]


def lost_run(**changes):
    """Return a run whose process has ended without a word."""
    gone = own_identity().rpartition(":")[0] + ":1.00"
    return TrainingRun.objects.create(
        **{
            "scope": "1h",
            "recipe": "ensemble",
            "horizon_bars": 12,
            "trigger": "interval",
            "seed": 1,
            "started_at": NOW,
            "lease_until": NOW + timedelta(hours=1),
            "worker": gone,
            **changes,
        }
    )


def test_it_takes_up_at_once_what_a_killed_worker_left_but_not_for_ever(market):
    for minutes in range(2):
        lost_run(started_at=NOW + timedelta(minutes=minutes))
        assert due(NOW + timedelta(minutes=minutes)) == [("1h", "retry", 12)]

    lost_run(started_at=NOW + timedelta(minutes=2))

    assert due(NOW + timedelta(minutes=2)) == []
    assert set(TrainingRun.objects.values_list("status", "error")) == {
        ("FAILED", "the worker was lost")
    }
    assert due(NOW + timedelta(hours=7)) == [("1h", "retry", 12)]


def test_it_trains_anew_when_candles_of_the_training_were_revised(market, train):
    train(market)
    assert due(NOW + timedelta(hours=7)) == []

    old = Candle.objects.filter(instrument=market[1], open_time__lt=NOW - timedelta(days=30))
    Candle.objects.filter(pk=old.order_by("pk").first().pk).update(revision=2)

    assert due(NOW + timedelta(hours=7)) == [("1h", "data", 12)]
    event = RetrainEvent.objects.get(trigger="data")
    assert event.evidence["revised"] == 2.0
    train(market, now=NOW)
    assert due(NOW + timedelta(hours=7)) == []


def resolved(version_id, market, *, expected, realized, horizon=12, rows=48):
    """Store predictions that have come to their end."""
    Prediction.objects.bulk_create(
        Prediction(
            model_version_id=version_id,
            model_name="m",
            instrument=market[0],
            timeframe="1h",
            timestamp=NOW + timedelta(hours=n),
            close_time=NOW + timedelta(hours=n),
            horizon_bars=horizon,
            resolves_at=NOW,
            state="OK",
            p_up=0.5,
            expected_return=expected,
            lower=-0.1,
            upper=0.1,
            sigma=0.05,
            horizon_sigma=0.03,
            base_rate=0.5,
            realized_return=realized if n % 2 else -realized,
            error=expected,
            resolved_at=NOW,
            created_at=NOW,
        )
        for n in range(rows)
    )


@pytest.mark.parametrize(("horizon", "found"), [(12, []), (24, [("1h", "error", 24)])])
def test_it_minds_the_error_only_where_it_measures_the_model(market, train, horizon, found):
    version_id = train(market, horizon_bars=horizon)
    resolved(version_id, market, expected=0.0, realized=0.03, horizon=horizon)

    assert due(NOW + timedelta(hours=7)) == found

    events = list(RetrainEvent.objects.values_list("trigger", "outcome", "version_id"))
    assert events == [("error", "STARTED", version_id)] * len(found)
    if found:
        evidence = RetrainEvent.objects.get().evidence
        assert evidence["mean_absolute_error"] == pytest.approx(0.03)
        assert evidence["threshold"] == 0.02


def test_it_does_not_train_in_circles(market, train):
    version_id = train(market, horizon_bars=24)
    resolved(version_id, market, expected=0.0, realized=0.03, horizon=24)
    MLSettings.objects.create(retrain_interval_hours=24 * 30)
    moments = [NOW + timedelta(days=7 * n, hours=7) for n in range(4)]

    # while the champion stays the same its alarm is heard once a week
    triggers = [(due(now), due(now + timedelta(hours=3))) for now in moments]

    # the same alarm three times (each would have trained): then a person must look
    assert [bool(found) for found, _ in triggers] == [True, True, True, False]
    assert not any(again for _, again in triggers)
    outcomes = RetrainEvent.objects.order_by("id").values_list("outcome", flat=True)
    assert list(outcomes) == ["STARTED", "HELD_BACK"] * 2 + ["STARTED", "STOPPED"]
    assert Alert.objects.get(code="MODEL_TRAINING_IN_VAIN").context["trigger"] == "error"
    assert due(NOW + timedelta(days=30)) == [("1h", "interval", 24)]


def test_it_minds_a_model_of_other_code(market, train):
    version = ModelVersion.objects.get(pk=train(market))
    version.feature_spec["code_version"] = 1
    version.save()

    assert due(NOW + timedelta(hours=7)) == [("1h", "data", 12)]


def test_it_trains_by_task_and_lets_a_running_training_be(market):
    order = {
        "timeframe": "1h",
        "instrument_ids": [row.pk for row in market],
        "horizon_bars": 12,
        "trigger": "interval",
    }

    tasks.train.apply(kwargs=order, throw=True)
    TrainingRun.objects.update(status="RUNNING", lease_until=NOW + timedelta(minutes=5))
    tasks.train.apply(kwargs=order, throw=True)

    assert ModelVersion.objects.get().run.trigger == "interval"


def test_it_enqueues_what_is_due(market, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.train, "delay", lambda **order: sent.append(order))
    Subscription.objects.create(instrument=market[0], timeframe="5m", is_active=False)

    tasks.retrain_due.apply(throw=True)

    assert sent == [
        {
            "timeframe": "1h",
            "instrument_ids": [row.pk for row in market],
            "horizon_bars": 12,
            "trigger": "first",
        }
    ]


def test_it_scores_by_task(market, train, cache, windows):
    train(market)
    predict(market, windows=windows, models=cache, close_time=moment(12))

    tasks.score_outcomes.apply(throw=True)

    assert Prediction.objects.filter(resolved_at=NOW).count() == 3


def test_it_trains_on_a_new_symbol_once_it_is_subscribed(market, train):
    add_market("DDDUSDT", seed=4, bars=200)

    found = list_due(now=NOW)

    assert len(found[0].instrument_ids) == 4
