from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from markets.models import Instrument


@pytest.fixture
def make_instrument(db: None) -> Callable[..., Instrument]:
    def make(symbol: str = "BTCUSDT") -> Instrument:
        return Instrument.objects.create(
            symbol=symbol,
            base_asset=symbol.removesuffix("USDT"),
            quote_asset="USDT",
            status="TRADING",
            tick_size=Decimal("0.01"),
            step_size=Decimal("0.00001"),
            synced_at=datetime(2024, 1, 1, tzinfo=UTC),
        )

    return make
