"""A planted market in the database, and a model trained on it."""

import uuid
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from core.clock import from_ms
from markets.domain.timeframe import Timeframe
from markets.models import Instrument, Subscription
from markets.services.ingestion import store_candles
from markets.services.windows import WindowStore
from mlmodels.adapters.artifact_store import FolderArtifactStore
from mlmodels.adapters.factory import get_all_trainers, get_trainers
from mlmodels.models import ModelVersion, TrainingRun
from mlmodels.ports import silent
from mlmodels.services.serving import ModelCache
from mlmodels.services.training import train_model
from tests.unit.mlmodels.market import HOUR_MS, generate

NOW = datetime(2025, 1, 1, tzinfo=UTC)
BARS = 2400
H1 = Timeframe.H1


def add_instrument(symbol):
    return Instrument.objects.create(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        status="TRADING",
        tick_size=Decimal("0.01"),
        step_size=Decimal("0.0001"),
        synced_at=NOW,
    )


def rows_of(instrument_id, series):
    """Return candle rows that end at NOW, in the form that ingestion takes."""
    start_ms = int(NOW.timestamp() * 1000) - len(series.close) * HOUR_MS
    text = {
        name: [format(Decimal(repr(float(x))).quantize(Decimal("1e-12")), "f") for x in column]
        for name, column in ((name, getattr(series, name)) for name in type(series).__slots__)
        if name != "open_time_ms"
    }
    return [
        [
            instrument_id,
            start_ms + bar * HOUR_MS,
            text["open"][bar],
            text["high"][bar],
            text["low"][bar],
            text["close"][bar],
            text["volume"][bar],
            text["quote_volume"][bar],
            10,
            text["taker_buy_base"][bar],
            None,
        ]
        for bar in range(len(series.close))
    ]


def add_market(symbol, *, seed, ic=0.0, bars=BARS):
    instrument = add_instrument(symbol)
    rows = rows_of(instrument.pk, generate(bars, seed=seed, ic=ic))
    store_candles(timeframe=H1, rows=rows, now=NOW)
    Subscription.objects.create(instrument=instrument, timeframe=H1.value)
    return instrument


def add_version(scope="1h"):
    """Add a version that was trained, and nothing of it but its row."""
    run = TrainingRun.objects.create(
        scope=scope,
        recipe="xgboost",
        horizon_bars=12,
        trigger="manual",
        seed=1,
        status="SUCCEEDED",
        started_at=NOW,
        lease_until=NOW,
    )
    return ModelVersion.objects.create(
        run=run,
        name="xgboost 1h h12",
        scope=scope,
        recipe="xgboost",
        horizon_bars=12,
        verdict="SKILLED",
        spec_hash="0" * 64,
        trained_until=NOW,
        artifact_id=uuid.uuid4(),
        manifest_sha256="0" * 64,
        created_at=NOW,
    )


@pytest.fixture
def store(tmp_path):
    return FolderArtifactStore(tmp_path / "models")


@pytest.fixture
def cache(store):
    return ModelCache(store=store, trainers=get_all_trainers())


@pytest.fixture
def windows():
    return WindowStore()


@pytest.fixture
def market(db):
    """Two symbols with a planted signal, one of pure noise."""
    return [
        add_market("AAAUSDT", seed=1, ic=0.4),
        add_market("BBBUSDT", seed=2, ic=0.4),
        add_market("CCCUSDT", seed=3),
    ]


@pytest.fixture
def train(store):
    def run(instruments, *, now=NOW, recipe="ensemble", **changes):
        return train_model(
            **{
                "timeframe": H1,
                "instrument_ids": [instrument.pk for instrument in instruments],
                "horizon_bars": 12,
                "trigger": "manual",
                "seed": 1,
                "trainers": get_trainers(recipe),
                "store": store,
                "now": now,
                "progress": silent,
                **changes,
            }
        )

    return run


def moment(bars_before_now):
    return from_ms(int(NOW.timestamp() * 1000) - bars_before_now * HOUR_MS)
