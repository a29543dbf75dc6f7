"""What ran at replayed candles is, decision by decision, what a replay says.

500 bars a market in a usual run; ``make parity`` lives through 5,000.
"""

import os
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import F

from execution.backtest.findings import Findings, Kind, Stage
from execution.models import Fill
from execution.services.parity import check_parity
from markets.domain.timeframe import Timeframe
from markets.models import Candle
from mlmodels.domain.feature_spec import FeatureSpec
from mlmodels.models import MLSettings, ModelVersion, Prediction
from mlmodels.tasks import get_model_cache, load_past_models
from tests.functional.replaying import on_exchange, open_replay_desk, write_candles
from tests.processes import sim_exchange
from tests.unit.mlmodels.market import generate

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(7200)]
CLOSES = int(os.environ.get("PARITY_BARS", "500")) // 2
HISTORY = 3400
FRAME = Timeframe.H1
SYMBOLS = ("BTCUSDT", "ETHUSDT")
# What may differ from a replay, and is told apart: prices move between close and fill.
EXPECTED = {
    Stage.PREDICTION: {Kind.EQUAL, Kind.SUSPENDED},
    Stage.INPUT: {Kind.EQUAL},
    Stage.DECISION: {Kind.EQUAL},
    Stage.ORDER: {Kind.EQUAL, Kind.DENIED},
    Stage.FILL: {Kind.EQUAL, Kind.SLIPPAGE, Kind.PARTIAL_FILL},
}


@pytest.fixture
def planted(tmp_path: Path) -> list[Path]:
    """Return files of generated candles whose taker flow tells something."""
    folder = tmp_path / "candles"
    folder.mkdir()
    files = []
    for seed, symbol in enumerate(SYMBOLS, start=11):
        series = generate(HISTORY + CLOSES + 10, seed=seed, ic=0.5)
        files.append(folder / f"{symbol}_1h.csv")
        write_candles(series, files[-1])
    return files


@pytest.fixture
def real(shared_data: Path) -> list[Path]:
    """Return files of real candles."""
    files = [*(shared_data / "candles" / "spot_1h").glob("*_1h_*.csv.gz")]
    found = [path for symbol in SYMBOLS for path in files if path.name.startswith(symbol)]
    if len(found) < len(SYMBOLS):
        pytest.skip("no real candles of both symbols")
    return found


def live(
    files: list[Path], folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, Findings]:
    """Live through the files' candles after the history, and compare with a replay."""
    settings.MODEL_DIR = folder / "models"
    get_model_cache.cache_clear()
    MLSettings.objects.create(train_bars=HISTORY, retrain_interval_hours=24 * 30)
    options = (
        *("--data", *map(str, files), "--interval", FRAME.value, "--speed", "manual"),
        *("--history-bars", str(HISTORY), "--balance", "USDT=100000"),
        *("--weight-limit", "1000000000", "--orders-limit", "1000000000"),
    )
    with (
        sim_exchange(*options, folder=folder, environment=os.environ) as exchange,
        on_exchange(exchange, monkeypatch) as clock,
    ):
        desk = open_replay_desk(clock, timeframe=FRAME, history_bars=HISTORY)
        end = desk.live(CLOSES)
    get_model_cache.cache_clear()
    findings = check_parity(
        start=desk.first_close,
        end=end,
        load_models=load_past_models,
        progress=lambda done, total, message: None,
    )
    return (desk.first_close, end), findings


def must_be_explained(findings: Findings) -> None:
    """Fail with the first differences that a replay at the same candles may not have."""
    found = [item for item in findings.differences if item.kind not in EXPECTED[item.stage]]
    kinds = {stage: set(counts) - EXPECTED[stage] for stage, counts in findings.counts.items()}
    assert not any(kinds.values()), (findings.counts, found[:5])


def must_be_joined(end: Any) -> None:
    """Fail unless each outcome was joined within its horizon and two bars, and none before."""
    due = Prediction.objects.filter(resolves_at__lt=end - 2 * FRAME.delta)
    assert due.count() > 0.9 * len(SYMBOLS) * CLOSES
    assert not due.filter(realized_return__isnull=True).exists()
    assert not due.filter(resolved_at__gt=F("resolves_at") + 2 * FRAME.delta).exists()
    assert not Prediction.objects.filter(resolved_at__lt=F("resolves_at")).exists()


def count_whole_windows(start: Any, end: Any) -> int:
    """Return at how many closes of all symbols the champion's whole warm-up has no hole."""
    warmup = FeatureSpec.from_json(ModelVersion.objects.latest("pk").feature_spec).warmup
    rows = Candle.objects.filter(timeframe=FRAME.value, open_time__lt=end - FRAME.delta / 2)
    whole = unbroken = 0
    before = None
    for key, opened in rows.order_by("instrument", "open_time").values_list(
        "instrument_id", "open_time"
    ):
        follows = before == (key, opened - FRAME.delta)
        unbroken = unbroken + 1 if follows else 1
        before = key, opened
        whole += unbroken >= warmup and opened + FRAME.delta >= start
    return whole


def test_generated_candles_are_decided_as_a_replay_decides(
    planted: list[Path], tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (start, end), findings = live(planted, tmp_path, settings, monkeypatch)
    out = StringIO()

    call_command("parity", start=start.isoformat(), end=end.isoformat(), stdout=out)

    must_be_explained(findings)
    decided = len(SYMBOLS) * CLOSES
    assert findings.counts[Stage.INPUT] == findings.counts[Stage.DECISION] == {Kind.EQUAL: decided}
    assert f"DECISION    EQUAL {decided}" in out.getvalue()
    must_be_joined(end)
    assert Fill.objects.filter(order__leg="ENTRY").count() >= 3
    assert Fill.objects.exclude(order__leg="ENTRY").count() >= 3


def test_real_candles_are_decided_as_a_replay_decides(
    real: list[Path], tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (start, end), findings = live(real, tmp_path, settings, monkeypatch)

    must_be_explained(findings)
    # Outages of the exchange leave holes in its candles: nothing closes in them.
    assert findings.counts[Stage.DECISION][Kind.EQUAL] > 0.9 * len(SYMBOLS) * CLOSES
    assert findings.counts[Stage.DECISION] == findings.counts[Stage.INPUT]
    # After a hole nothing is predicted until the features' whole warm-up lies behind it.
    predicted = Prediction.objects.filter(is_shadow=False)
    assert predicted.count() == count_whole_windows(start, end) > 0.5 * len(SYMBOLS) * CLOSES
