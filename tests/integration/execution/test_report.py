"""The desk's report: what happened, in figures that can be added up by hand."""

import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from alerts.services.raising import raise_alert
from execution.models import Decision, Fill, Order, Position
from execution.services.equity import record_equity
from execution.services.orders import place_orders
from mlmodels.models import ModelVersion, Prediction, TrainingRun
from risk.domain.trading_state import Level
from risk.services.trading_state import raise_level, rearm

D = Decimal
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def report(**options) -> str:
    out = io.StringIO()
    call_command("report", stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def desk(world, settings, monkeypatch):
    """A winning round trip in BTC, an open position in ETH, a refused order and an incident."""
    settings.ACCOUNT_NAME = "test"
    monkeypatch.setattr("tradingsite.management.commands.report.get_clock", lambda: world.clock)
    account_id = world.account.pk
    record_equity(account_id=account_id, now=world.clock.now())
    world.clock.advance(60)
    prediction = _prediction(world)
    decision = world.decide("BTCUSDT")
    Decision.objects.filter(pk=decision.pk).update(prediction=prediction, price=D("49950"))
    place_orders(decision_ids=[decision.pk], broker=world.broker, clock=world.clock)
    world.clock.advance(60)
    world.broker.trigger("LIMIT_MAKER", "BTCUSDT")
    world.reconcile()
    raise_level(level=Level.REDUCE_ONLY, reason="a look", actor="anna", now=world.clock.now())
    place_orders(decision_ids=[world.decide("SOLUSDT").pk], broker=world.broker, clock=world.clock)
    rearm(reason="fine", actor="ben", now=world.clock.now())
    raise_alert(
        code="FEED_LATE", severity="WARNING", message="<late>", context={}, now=world.clock.now()
    )
    world.clock.advance(60)
    place_orders(decision_ids=[world.decide("ETHUSDT").pk], broker=world.broker, clock=world.clock)
    record_equity(account_id=account_id, now=world.clock.now())
    world.clock.advance(1)
    return world


def _prediction(world) -> Prediction:
    now = world.clock.now()
    run = TrainingRun.objects.create(
        scope="1h", recipe="r", horizon_bars=1, trigger="first", seed=1, instrument_ids=[],
        status="SUCCEEDED", started_at=now, lease_until=now,
    )  # fmt: skip
    version = ModelVersion.objects.create(
        run=run, name="ridge 1h", scope="1h", recipe="r", horizon_bars=1, state="CHAMPION",
        verdict="SKILLED", spec_hash="a", trained_until=now, manifest_sha256="b", created_at=now,
        artifact_id="00000000-0000-0000-0000-000000000001",
    )  # fmt: skip
    return Prediction.objects.create(
        model_version=version, model_name=version.name, instrument=world.instruments["BTCUSDT"],
        timeframe="1h", timestamp=now, close_time=now, horizon_bars=1, resolves_at=now, state="OK",
        p_up=0.7, expected_return=0.02, lower=-0.1, upper=0.1, sigma=0.01, realized_return=0.05,
        error=-0.03, resolved_at=now, created_at=now,
    )  # fmt: skip


def test_the_figures_add_up(desk):
    told = json.loads(report(format="json"))

    results = told["results"]
    trip = Position.objects.get(symbol="BTCUSDT")
    assert D(results["realized"]) == trip.realized_pnl > 0
    assert [row["name"] for row in results["by_symbol"]] == ["BTCUSDT", "ETHUSDT"]
    model = next(row for row in results["by_model"] if row["name"] == "ridge 1h")
    assert (D(model["realized"]), model["round_trips"], model["won"]) == (trip.realized_pnl, 1, 1)
    assert results["by_strategy"][0]["name"] == "test"
    fees = {asset: D(amount) for asset, amount in results["fees"].items()}
    for asset in ("BTC", "ETH", "USDT"):
        paid = Fill.objects.filter(fee_asset=asset).values_list("fee", flat=True)
        assert fees[asset] == sum(paid)
    positions = Position.objects.values_list("fees_quote", flat=True)
    assert D(results["fees_quote"]) == sum(positions)
    assert told["decisions"]["by_action"] == {"ENTER": 3}
    assert told["gate"]["by_code"] == {"STATE_LEVEL": 1}
    entry = Order.objects.get(leg="ENTRY", instrument__symbol="BTCUSDT")
    cost = entry.filled_quote - entry.filled_quantity * D("49950")
    assert D(told["slippage"]["cost_quote"]) == cost > 0
    assert told["models"] == [
        {
            "name": "ridge 1h",
            "predictions": 1,
            "resolved": 1,
            "mean_abs_error": pytest.approx(0.03),
            "direction_right": 1.0,
            "coverage": 1.0,
            "ic": None,
        }
    ]
    equity = told["equity"]
    assert D(equity["end"]) - D(equity["start"]) == D(equity["change"])
    assert told["incidents"]["kill_switch"][-1]["actor"] == "ben"
    assert [row["code"] for row in told["incidents"]["alerts"]] == ["FEED_LATE"]
    assert told["comparisons"]["red"] == 0
    assert told["unprotected"]["positions"] == 2
    assert told["unprotected"]["seconds"] < 1


def test_time_without_a_stop_is_counted(desk):
    desk.unsound = "the stop was taken away"
    desk.broker.cancel_all("ETHUSDT")
    desk.reconcile()
    desk.clock.advance(30)

    told = json.loads(report(format="json"))

    assert 30 <= told["unprotected"]["longest"] < 31


def test_a_period_leaves_out_what_is_not_in_it(desk):
    now = desk.clock.now()
    later = json.loads(
        report(format="json", since=now + timedelta(hours=1), until=now + timedelta(hours=2))
    )

    assert later["results"]["executions"] == 0
    assert D(later["equity"]["start"]) == D(later["equity"]["end"])
    assert later["equity"]["change"] is None
    assert "Nothing to draw" in report(
        format="html", since=now + timedelta(hours=1), until=now + timedelta(hours=2)
    )


def test_text_and_page_say_the_same_and_the_page_needs_nothing_else(desk, tmp_path, capsys):
    text = report()
    page = tmp_path / "day.html"
    report(format="html", output=page)

    html = page.read_text()
    for what in ("Desk report: test", "STATE_LEVEL", "ridge 1h", "BTCUSDT", "Without a stop"):
        assert what in text
        assert what in html
    assert "&lt;late&gt;" in html
    assert "<late>" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html
    assert f"Wrote {page}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": NEW_YEAR + timedelta(days=1), "until": NEW_YEAR}, "--since must be before"),
        ({"day": NEW_YEAR, "until": NEW_YEAR}, "not both"),
    ],
)
def test_it_names_what_is_wrong(desk, options, words):
    with pytest.raises(CommandError, match=words):
        report(**options)


def test_it_names_an_odd_day_and_a_missing_account(settings, db):
    settings.ACCOUNT_NAME = "nobody"
    with pytest.raises(CommandError, match="such as 2026-11-27"):
        call_command("report", "--day", "yesterday")
    with pytest.raises(CommandError, match="start trading once"):
        call_command("report", "--day", "2026-01-01")
