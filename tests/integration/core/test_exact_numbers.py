"""Exact decimals read alike from every database, whichever way they are asked for."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db.models import F, Max

from core.prepared import PreparedQuery, PreparedRows
from markets.models import Instrument

NUMBERS = ("0", "1", "100", "0.1", "1.5", "1E-18", "99999999999999999999.999999999999999999")


@pytest.fixture(params=NUMBERS)
def number(request, db) -> str:
    Instrument.objects.create(
        symbol="XUSDT",
        base_asset="X",
        quote_asset="USDT",
        status="TRADING",
        tick_size=Decimal("0.010"),
        step_size=Decimal(1),
        min_quantity=Decimal(1),
        min_notional=Decimal(request.param),
        synced_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    return str(Decimal(request.param))


def test_every_way_to_read_gives_the_same_digits_without_padding(number):
    rows = Instrument.objects.filter(symbol="XUSDT")
    by_symbol = PreparedRows[Instrument](
        lambda name: Instrument.objects.filter(symbol=name), "name"
    )
    columns = PreparedQuery(lambda: rows.values_list("min_notional"))

    found = [
        rows.get().min_notional,
        rows.values_list("min_notional", flat=True).get(),
        rows.annotate(other=F("min_notional")).get().other,
        rows.values("symbol").annotate(most=Max("min_notional")).get()["most"],
        rows.select_related(None).only("min_notional").get().min_notional,
        by_symbol(name="XUSDT")[0].min_notional,
        next(columns())[0],
    ]

    assert {type(each) for each in found} == {Decimal}
    assert {str(each) for each in found} == {number}
    assert str(rows.get().tick_size) == "0.01"
