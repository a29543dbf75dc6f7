"""Why it did, or did not, trade: the page, the counts behind it, and where the money came from."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from execution.domain.decision import Action
from execution.models import Decision
from execution.services.attribution import attribute_results, count_closing_reasons
from execution.services.orders import place_orders
from execution.services.performance import measure_performance
from execution.services.reasons import explain_reason
from markets.models import Subscription
from mlmodels.models import Prediction
from tests.integration.execution.conftest import (  # noqa: F401 - its fixtures
    clock,
    world,
)
from tests.integration.mlmodels.test_promotion import add_version

CONFIG = {"config": {"min_edge_bps": 5.0, "min_confidence": 0.6, "cost_bps": 22.0}}


@pytest.fixture
def traded(world, monkeypatch):  # noqa: F811 - the fixture
    """Return an account with one round trip that a prediction led to, and one hold."""
    now = world.clock.now()
    monkeypatch.setattr("tradingsite.desk.decisions.get_clock", lambda: world.clock)
    Subscription.objects.create(instrument=world.instruments["BTCUSDT"], timeframe="1h")
    entered = world.decide("BTCUSDT")
    prediction = Prediction.objects.create(
        model_version=add_version(),
        model_name="xgboost 1h h12",
        instrument=entered.instrument,
        timeframe="1h",
        timestamp=now,
        close_time=entered.close_time,
        resolves_at=now + timedelta(hours=12),
        state="OK",
        p_up=0.7,
        expected_return=0.004,
        realized_return=0.006,
        lower=-0.01,
        upper=0.02,
        sigma=0.01,
        horizon_bars=12,
        created_at=now,
    )
    Decision.objects.filter(pk=entered.pk).update(
        prediction=prediction, edge_bps=18.0, confidence=0.65, reason="EDGE", inputs=CONFIG
    )
    place_orders(decision_ids=[entered.pk], broker=world.broker, clock=world.clock)
    world.reconcile()
    world.move_price("BTCUSDT", "51000")
    left = world.decide("BTCUSDT", Action.EXIT)
    place_orders(decision_ids=[left.pk], broker=world.broker, clock=world.clock)
    world.reconcile()
    held = world.decide("BTCUSDT", Action.HOLD)
    Decision.objects.filter(pk=held.pk).update(
        reason="MIN_CONFIDENCE", vetoes=["MIN_CONFIDENCE"], confidence=0.55, inputs=CONFIG
    )
    return world


@pytest.fixture
def page(client):
    client.force_login(User.objects.create_superuser("ann", password="secret"))
    return lambda **asked: client.get(reverse("desk-decisions"), asked)


def test_it_answers_with_the_reason_and_both_numbers(traded, page):
    text = page(symbol="BTCUSDT").content.decode()

    assert "MIN_CONFIDENCE" in text
    assert "a net gain is not likely enough (0.550, 0.6 needed)" in text


def test_it_shows_what_led_to_an_entry_down_to_the_fill(traded, page):
    entered = Decision.objects.get(action="ENTER")

    text = page(symbol="BTCUSDT", at=entered.close_time.isoformat()).content.decode()

    assert "entered: everything spoke for it (+18.0 bps, 5 needed)" in text
    assert "xgboost 1h h12" in text
    assert "FILLED" in text


def test_it_says_what_is_wrong_with_a_question(traded, page):
    answer = page(symbol="NOUSDT", at="2026-03-02T11:00")
    wrong = page(symbol="BTCUSDT", at="soon")

    assert answer.status_code == wrong.status_code == 404
    assert "NOUSDT" in answer.content.decode()
    assert "a date such as" in wrong.content.decode()


def test_it_counts_what_closed_each_decision(traded):
    now = traded.clock.now()

    rows = count_closing_reasons(since=now - timedelta(days=1), until=now)

    assert {(row["reason"], row["count"]) for row in rows} == {
        ("EDGE", 1),
        ("TEST", 1),
        ("MIN_CONFIDENCE", 1),
    }
    assert sum(row["share"] for row in rows) == pytest.approx(1.0)
    assert count_closing_reasons(since=now + timedelta(1), until=now + timedelta(2)) == []


def test_it_tells_which_predictions_the_money_came_from(traded):
    (row,) = attribute_results(account_name="test")

    assert (row["model"], row["symbol"], row["trades"]) == ("xgboost 1h h12", "BTCUSDT", 1)
    assert row["realized_pnl"] > Decimal(10)
    assert row["expected_bps"] == 18.0
    assert row["made_bps"] == pytest.approx(180, abs=5)
    assert (row["forecast_bps"], row["came_bps"]) == (pytest.approx(40.0), pytest.approx(60.0))
    assert measure_performance(account_name="test")["by_model"] == [row]


def test_its_words_say_by_which_rule_a_gain_was_not_likely_enough():
    decision = {
        "given": {"config": {"confidence_mode": "edge", "confidence_margin": 0.02}},
        "edge_bps": 9.0,
        "confidence": 0.561,
        "factors": [{"name": "model", "detail": {"break_even": 0.555, "needed": 0.575}}],
    }

    said = explain_reason("BREAK_EVEN", decision)

    assert said == (
        "a net gain is not likely enough to pay its costs "
        "(0.561, 0.575 needed: break-even and 0.02)"
    )


def test_its_words_do_without_numbers_that_nobody_kept():
    bare = {"given": {}, "edge_bps": -3.0, "confidence": None}

    assert explain_reason("MIN_EDGE", bare) == "too little is expected after costs"
    assert explain_reason("NEW_REASON", bare) == "NEW_REASON"


def test_the_admins_list_leads_to_it(traded, client):
    client.force_login(User.objects.create_superuser("eve", password="secret"))

    listed = client.get(reverse("admin:execution_decision_changelist")).content.decode()

    assert "/desk/decisions?symbol=BTCUSDT&amp;at=" in listed
