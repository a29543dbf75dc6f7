"""Backtests from the request to the report: command, API, desk and worker on one database."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from execution.backtest.request import parse_request
from execution.models import Backtest
from execution.services.backtests import create_backtest, fail_lost_backtests
from execution.services.replays import load_moods, load_series
from execution.services.tear_sheets import render_tear_sheet
from markets.domain.timeframe import Timeframe
from markets.models import Candle, Instrument
from markets.services.ingestion import store_candles
from sentiment.models import SentimentScore
from tests.unit.mlmodels.market import generate
from tradingsite.backtests import run_backtest

pytestmark = pytest.mark.django_db
# Only a deployment collects static files.
NOW = datetime(2024, 6, 1, tzinfo=UTC)
BARS = 2600


def rows_of(instrument_id, generated):
    """Return generated candles in row form, on the exchange's grid."""
    found = []
    for place in range(len(generated.close)):
        o, h, lo, c = (
            round(float(getattr(generated, name)[place]), 2)
            for name in ("open", "high", "low", "close")
        )
        volume = 1000.0 * float(generated.volume[place])
        bought = 1000.0 * float(generated.taker_buy_base[place])
        found.append(
            [
                instrument_id,
                int(generated.open_time_ms[place]),
                *(f"{x:.2f}" for x in (o, max(h, o, c), min(lo, o, c), c)),
                f"{volume:.4f}",
                f"{volume * c:.4f}",
                10,
                f"{bought:.4f}",
                f"{bought * c:.4f}",
            ]
        )
    return found


@pytest.fixture
def stored():
    """Return a symbol with hourly candles whose taker flow tells something."""
    return add_market("BTCUSDT", bars=BARS, seed=3)


def add_market(symbol, *, bars, seed):
    instrument = Instrument.objects.create(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        status="TRADING",
        tick_size="0.01",
        step_size="0.00001",
        min_notional="5",
        synced_at=NOW,
    )
    rows = rows_of(instrument.pk, generate(bars, seed=seed, ic=0.5))
    store_candles(timeframe=Timeframe.H1, rows=rows, now=NOW)
    return instrument


@pytest.fixture
def client():
    client = APIClient()
    client.force_authenticate(User.objects.create_superuser("ann", password="secret"))
    return client


@pytest.fixture
def run_at_once(monkeypatch):
    """Run what is enqueued in this process, as a worker would."""

    def run(work):
        sent = []
        monkeypatch.setattr(
            "tradingsite.backtests.enqueue_on_commit",
            lambda task, *, kwargs, queue: sent.append((task, queue, kwargs)),
        )
        answer = work()
        for task, queue, kwargs in sent:
            assert (task, queue) == ("pipeline.run_backtest", "train")
            run_backtest(**kwargs)
        return answer

    return run


def wanted(**changed):
    return {"symbols": ["BTCUSDT"], "interval": "1h", "strategy": "ema_rsi", **changed}


def test_it_runs_what_the_api_is_asked_for(stored, client, run_at_once):
    answer = run_at_once(lambda: client.post("/backtests", wanted(), format="json"))
    key = answer.json()["id"]

    (row,) = client.get("/backtests").json()["results"]
    whole = client.get(f"/backtests/{key}").json()

    assert answer.status_code == 202
    assert (row["id"], row["state"], row["symbols"]) == (key, "DONE", ["BTCUSDT"])
    assert row["summary"]["trades"] == whole["report"]["summary"]["trades"] > 20
    assert whole["report"]["verdict"]["text"] == row["verdict_text"] != ""
    assert len(whole["report"]["cost_curve"]) == 5


def test_it_trades_by_models_that_were_trained_on_the_way(client, run_at_once):
    symbols = ["ETHUSDT", "SOLUSDT"]
    for seed, symbol in enumerate(symbols):
        add_market(symbol, bars=4300, seed=seed)
    parameters = {"train_bars": 3800, "retrain_bars": 1300, "base_position_size": 500}
    request = wanted(
        symbols=symbols, strategy="model", parameters=parameters, models="walk-forward"
    )

    run_at_once(lambda: client.post("/backtests", request, format="json"))

    report = Backtest.objects.get().report
    first = report["models"][0]["from_ms"]
    opened = [trade["opened_ms"] for trade in report["trades"]]
    assert len(report["models"]) >= 2
    assert opened
    assert min(opened) > first
    assert report["reasons"]["model"]["NO_MODEL"] > 1500
    assert report["skill"]["ic"] > 0.1


def test_it_retrains_when_live_training_would_have(client, run_at_once):
    add_market("ETHUSDT", bars=4300, seed=0)
    parameters = {"train_bars": 3800, "retrain_bars": 1300}
    request = wanted(symbols=["ETHUSDT"], strategy="model", parameters=parameters)

    run_at_once(lambda: client.post("/backtests", request, format="json"))

    row = Backtest.objects.get()
    events = row.report["model_events"]
    assert row.report["request"]["models"] == "live"
    assert events[0]["trigger"] == "first"
    assert {"PROMOTED"} <= {event["outcome"] for event in events}
    assert "What happened to the models" in render_tear_sheet(row.report)


def test_it_runs_several_strategies_on_one_account(stored, client, run_at_once):
    parameters = {"ema_rsi.base_position_size": 700, "bars": 12}
    request = wanted(strategy=["ema_rsi", "momentum"], parameters=parameters)

    run_at_once(lambda: client.post("/backtests", request, format="json"))

    row = Backtest.objects.get()
    traded = {trade["strategy"] for trade in row.report["trades"]}
    closes = {name: sum(counts.values()) for name, counts in row.report["reasons"].items()}
    assert row.strategy == "ema_rsi+momentum"
    assert traded == {"ema_rsi", "momentum"}
    assert closes == {"ema_rsi": BARS, "momentum": BARS}
    # One symbol, one position: no two round trips overlap.
    spans = sorted((trade["opened_ms"], trade["closed_ms"]) for trade in row.report["trades"])
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))
    shaken = {item["parameter"] for item in row.report["sensitivity"]}
    assert shaken == {"ema_rsi.fast", "ema_rsi.slow", "momentum.bars"}


def test_it_knows_the_mood_as_it_became_known(stored):
    hour = timedelta(hours=1)
    first = Candle.objects.order_by("open_time").values_list("open_time", flat=True)[0]
    for bar, score in ((10, 0.5), (20, -0.5)):
        SentimentScore.objects.create(
            instrument=stored,
            available_at=first + bar * hour,
            score=score,
            confidence=0.5,
            mentions=3,
        )
    request = parse_request(wanted())

    moods = load_moods(load_series(request, progress=lambda *_: None))

    seen = [moods.at(stored.pk, first + bar * hour) for bar in (9, 10, 19, 20, 43, 44)]
    assert [view and view.score for view in seen] == [None, 0.5, 0.5, -0.5, -0.5, None]


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"symbols": []}, "symbols", "1 to 50 symbols"),
        ({"symbols": "BTCUSDT"}, "symbols", "a list such as"),
        ({"symbols": ["BTC/USDT"]}, "symbols", "a symbol such as BTCUSDT"),
        ({"interval": "7m"}, "interval", "one of 1m"),
        ({"strategy": "luck"}, "strategy", "one of model"),
        ({"parameters": {"fast": 0}}, "fast", "whole number of 1 or more"),
        ({"parameters": {"fest": 3}}, "fest", "ema_rsi takes"),
        ({"start": "soon"}, "start", "a date such as"),
        ({"start": "2024-02-01", "end": "2024-01-01"}, "end", "after start"),
        ({"fee_bps": "nan"}, "fee_bps", "a finite number"),
        ({"participation": "2"}, "participation", "above 0 to 1"),
        ({"cash": 0}, "cash", "above 0"),
        ({"detail": "1h"}, "detail", "divides 1h"),
        ({"wager": 1}, "wager", "known are"),
    ],
)
def test_it_names_what_is_wrong_with_a_request(client, changed, field, words):
    answer = client.post("/backtests", wanted(**changed), format="json")

    assert answer.status_code == 400
    assert answer.json()["context"]["field"] == field
    assert words in answer.json()["message"]
    assert not Backtest.objects.exists()


def test_it_fails_with_the_reason_and_the_fix(stored, client, run_at_once):
    run_at_once(lambda: client.post("/backtests", wanted(interval="5m"), format="json"))
    run_at_once(lambda: client.post("/backtests", wanted(symbols=["XXXUSDT"]), format="json"))

    errors = list(Backtest.objects.order_by("pk").values_list("state", "error"))
    assert [state for state, _ in errors] == ["FAILED", "FAILED"]
    assert "manage.py backfill --symbol BTCUSDT --interval 5m" in errors[0][1]
    assert "XXXUSDT" in errors[1][1]


def test_it_runs_each_backtest_once(stored):
    row = create_backtest(request=parse_request(wanted()), actor="ann", now=NOW)

    run_backtest(backtest_id=row.pk)
    first = Backtest.objects.get(pk=row.pk)
    run_backtest(backtest_id=row.pk)

    again = Backtest.objects.get(pk=row.pk)
    assert (first.state, again.finished_at) == ("DONE", first.finished_at)


def test_it_counts_every_run_on_the_same_candles_as_a_trial(stored):
    for _ in range(3):
        row = create_backtest(request=parse_request(wanted()), actor="ann", now=NOW)
        run_backtest(backtest_id=row.pk)

    assert [row.summary["trials"] for row in Backtest.objects.order_by("pk")] == [1, 2, 3]


def test_it_notes_what_no_worker_finished(db):
    row = create_backtest(request=parse_request(wanted()), actor="ann", now=NOW)
    Backtest.objects.filter(pk=row.pk).update(state="RUNNING")

    assert fail_lost_backtests(now=NOW) == 0
    assert fail_lost_backtests(now=NOW.replace(hour=7)) == 1
    assert Backtest.objects.get().error == "no worker finished it"


def test_it_writes_tear_sheet_and_figures_from_the_command_line(stored, tmp_path):
    out = StringIO()

    call_command(
        "run_backtest",
        symbol=["BTCUSDT"],
        interval="1h",
        strategy="ema_rsi",
        start="2023-12-01",
        out=str(tmp_path),
        stdout=out,
    )

    sheet = (tmp_path / "ema_rsi_BTCUSDT_1h.html").read_text()
    figures = json.loads((tmp_path / "ema_rsi_BTCUSDT_1h.json").read_text())
    first = out.getvalue().splitlines()[0]
    assert first == figures["verdict"]["text"] == Backtest.objects.get().verdict_text
    assert figures["curves"]["time_ms"][0] >= datetime(2023, 12, 1, tzinfo=UTC).timestamp() * 1000
    for foreign in ("http://", "https://", "<script", "src="):
        assert foreign not in sheet


def test_it_replays_files_without_a_database_row(tmp_path):
    market = generate(900, seed=1)
    lines = ["open_time,open,high,low,close,volume"]
    lines += [",".join(map(str, (row[1], *row[2:7]))) for row in rows_of(1, market)]
    path = tmp_path / "candles.csv"
    path.write_text("\n".join(lines))
    out = StringIO()

    call_command(
        "run_backtest",
        source="csv",
        file=[f"BTCUSDT={path}"],
        interval="1h",
        strategy="momentum",
        quick=True,
        out=str(tmp_path),
        stdout=out,
    )

    assert "buy-and-hold" in out.getvalue()
    assert (tmp_path / "momentum_BTCUSDT_1h.html").exists()
    assert not Backtest.objects.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "csv", "interval": "1h"}, "belong together"),
        ({"symbol": ["BTCUSDT"]}, "--interval is needed"),
        ({}, "Nothing is subscribed"),
        ({"symbol": ["BTCUSDT"], "interval": "1h", "given": ["x"]}, "NAME=NUMBER"),
        ({"source": "csv", "interval": "1h", "file": ["BTC"]}, "SYMBOL=PATH"),
    ],
)
def test_it_says_what_the_command_lacks(options, words):
    with pytest.raises(CommandError, match=words):
        call_command("run_backtest", **options)


def test_it_shows_list_form_and_report_on_the_desk(stored, client, run_at_once):
    run_at_once(lambda: client.post("/backtests", wanted(), format="json"))
    row = Backtest.objects.get()
    client.logout()
    client.login(username="ann", password="secret")

    listed = client.get("/desk/backtests").content.decode()
    shown = client.get(f"/desk/backtests/{row.pk}").content.decode()
    sheet = client.get(f"/desk/backtests/{row.pk}/sheet")

    assert f"/desk/backtests/{row.pk}" in listed
    assert row.verdict_text.split(";")[0].removeprefix("Not proven: ") in shown
    assert sheet["Content-Disposition"].endswith(f'"backtest-{row.pk}.html"')
    assert client.get("/desk/backtests/999").status_code == 404


def test_it_starts_one_from_the_desk_and_gives_a_wrong_field_back(stored, client, run_at_once):
    client.logout()
    client.login(username="ann", password="secret")
    form = {"symbols": "BTCUSDT", "interval": "1h", "strategy": "ema_rsi"}

    wrong = client.post("/desk/backtests/start", {**form, "settings": "fast=0"})
    right = run_at_once(lambda: client.post("/desk/backtests/start", form))

    assert wrong.status_code == 400
    assert "fast must be a whole number" in wrong.content.decode()
    assert right["Location"] == f"/desk/backtests/{Backtest.objects.get().pk}"


def test_it_shows_backtests_only_to_who_is_known(client):
    client.force_authenticate(None)

    assert client.get("/backtests").status_code == 401
    assert client.get("/desk/backtests").status_code == 302
