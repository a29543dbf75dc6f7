"""``import_config`` and ``export_config`` from end to end."""

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from core.models import AuditRecord
from execution.models import Strategy
from markets import selectors as markets
from markets.models import Instrument
from mlmodels.models import MLSettings
from risk.models import RiskLimits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
D = Decimal
FILE = """
risk_management: {max_position_size: 5000, max_drawdown: 0.2}
trading:
  symbols: [ETHUSDT, BTCUSDT]
  base_position_size: 500
  min_confidence: 0.55
  confidence_mode: edge
  confidence_margin: 0.03
ml: {retrain_interval_hours: 12}
"""

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _instruments(db: None, monkeypatch) -> None:
    for base in ("BTC", "ETH"):
        Instrument.objects.create(
            symbol=f"{base}USDT",
            base_asset=base,
            quote_asset="USDT",
            status="TRADING",
            tick_size=D("0.01"),
            step_size=D("0.001"),
            synced_at=NOW,
        )
    # The rules of other tests' instruments may still be cached in this process.
    monkeypatch.setattr(markets, "_rules", {})
    monkeypatch.setattr(markets, "_rules_read_at", -1e9)


@pytest.fixture
def import_text(tmp_path):
    def run(text: str) -> None:
        path = tmp_path / "config.yaml"
        path.write_text(text)
        call_command("import_config", str(path), stdout=StringIO())

    return run


def export() -> str:
    out = StringIO()
    call_command("export_config", stdout=out)
    return out.getvalue()


def test_it_sets_every_room(import_text) -> None:
    import_text(FILE)

    limits, strategy, training = (
        RiskLimits.objects.get(),
        Strategy.objects.get(),
        MLSettings.objects.get(),
    )
    assert (limits.max_position_size, limits.max_drawdown_fraction) == (D(5000), D("0.2"))
    assert limits.max_positions == 10
    assert (strategy.base_position_size, strategy.min_confidence) == (D(500), 0.55)
    assert (strategy.confidence_mode, strategy.confidence_margin) == ("edge", 0.03)
    symbols = set(strategy.instruments.values_list("symbol", flat=True))
    assert symbols == {"BTCUSDT", "ETHUSDT"}
    assert (training.retrain_interval_hours, training.retrain_error_threshold) == (12, 0.02)
    assert set(AuditRecord.objects.values_list("action", flat=True)) == {
        "risk.save_limits",
        "execution.save_trading_settings",
        "mlmodels.save_settings",
    }


def test_what_it_exports_it_imports_without_a_change(import_text) -> None:
    import_text(FILE)
    exported, records = export(), AuditRecord.objects.count()

    import_text(exported)

    assert export() == exported
    assert AuditRecord.objects.count() == records
    assert "stop_loss_percent: 0.02\n" in exported


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("risk_management: {stop_loss_percent: 2}", "risk_management.stop_loss_percent: was 2"),
        ("risk_management: {max_positions: 0}", "risk_management.max_positions: was 0"),
        ("risk_management: {max_position_size: 900}", "trading.base_position_size"),
        ("trading: {base_position_size: 10001}", "trading.base_position_size: was 10001"),
        ("trading: {min_confidence: 1}", "trading.min_confidence: was 1"),
        ("trading: {min_confidence: 0.49}", "trading.min_confidence: was 0.49"),
        ("trading: {confidence_mode: bold}", "trading.confidence_mode: was bold"),
        ("trading: {confidence_mode: [edge]}", "trading.confidence_mode"),
        ("trading: {confidence_margin: 0.5}", "trading.confidence_margin: was 0.5"),
        ("trading: {confidence_margin: -0.01}", "trading.confidence_margin"),
        ("trading: {allow_short: true}", "trading.allow_short: was true"),
        ("trading: {symbols: [DOGEUSDT]}", "trading.symbols: was DOGEUSDT"),
        ("ml: {retrain_interval_hours: 0}", "ml.retrain_interval_hours: was 0"),
        ("ml: {retrain_error_threshold: 1.5}", "ml.retrain_error_threshold: was 1.5"),
    ],
)
def test_it_names_what_cannot_be_and_changes_nothing(import_text, text: str, named: str) -> None:
    before = export()

    with pytest.raises(CommandError, match=named.replace(".", r"\.")):
        import_text("risk_management: {max_daily_loss: 77}\n" + text if "ml:" in text else text)

    assert export() == before
    assert not AuditRecord.objects.exists()


def test_it_wants_a_file(tmp_path) -> None:
    for path in (tmp_path, tmp_path / "absent.yaml"):
        with pytest.raises(CommandError, match="is not a file"):
            call_command("import_config", str(path))
