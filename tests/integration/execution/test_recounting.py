"""Everything is computed again from the ledger alone, and a wrong digit anywhere is seen."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from django.core.management import call_command

from execution.domain.order import Side
from execution.models import Balance, Fill, LedgerEntry, Order, Position
from execution.services.equity import record_equity
from execution.services.orders import place_orders
from execution.services.recounting import recount_account
from risk.models import RiskMetrics
from tests.append_only import unlocked

D = Decimal


def enter(world, symbol="BTCUSDT"):
    place_orders(decision_ids=[world.decide(symbol).pk], broker=world.broker, clock=world.clock)


def value(world, price="51000.7"):
    world.clock.advance(60)
    world.move_price("BTCUSDT", price)
    return record_equity(account_id=world.account.pk, now=world.clock.now())


def recount(world):
    return recount_account(account_id=world.account.pk)


@pytest.fixture
def traded(world):
    """Two round trips of which the second carries dust, an open one, and four valuations."""
    value(world)
    enter(world)
    value(world)
    world.broker.trigger("LIMIT_MAKER", "BTCUSDT")
    world.reconcile()
    value(world, "49000")
    world.clock.advance(60)
    enter(world)
    enter(world, "ETHUSDT")
    value(world, "50321.99")
    return world


def test_it_computes_the_same_figures_again(traded):
    result = recount(traded)

    assert result.findings == []
    empty = {name for name, section in result.sections.items() if not section.compared}
    assert not empty
    assert result.equity.not_checked == 0


def test_what_somebody_else_sold_counts_as_far_as_it_was_ours(traded):
    position = Position.objects.get(symbol="ETHUSDT")
    traded.broker.place_foreign("ETHUSDT", Side.SELL, position.quantity / 2)
    traded.reconcile()
    value(traded)

    assert Fill.objects.filter(order__leg="EXTERNAL", position=position).exists()
    assert recount(traded).findings == []


def test_a_deposit_is_neither_profit_nor_a_mystery(traded):
    before = RiskMetrics.objects.order_by("-timestamp").first()
    traded.broker.held["USDT"] += D("5000")
    traded.reconcile(accept_external="deposit of today")

    point = value(traded, "50321.99")

    assert point.equity == before.equity + 5000
    assert point.daily_pnl == before.daily_pnl
    assert recount(traded).findings == []


def test_a_fee_in_a_third_asset_is_part_of_cost_and_profit(world, monkeypatch):
    world.broker.held["SOL"] = D("10")
    world.reconcile(accept_external="for fees")
    honest = world.broker._trade

    def paid_in_sol(*args):
        trade = honest(*args)
        world.broker.held[trade.fee_asset] += trade.fee
        world.broker.held["SOL"] -= D("0.01")
        world.broker.executions[-1] = replace(trade, fee=D("0.01"), fee_asset="SOL")
        return world.broker.executions[-1]

    monkeypatch.setattr(world.broker, "_trade", paid_in_sol)
    enter(world)

    fill = Fill.objects.get()
    position = Position.objects.get()
    assert (fill.fee_asset, fill.fee_price) == ("SOL", D("100"))
    assert position.fees_quote == D("1")
    assert position.cost_quote == fill.quote_quantity + 1
    assert recount(world).findings == []


def plant(rows, **changes):
    def act():
        with unlocked():
            type(rows.first())._default_manager.filter(pk=rows.order_by("pk").last().pk).update(
                **changes
            )

    return act


WRONG = {
    "a ledger entry": ("entries", lambda: plant(LedgerEntry.objects.filter(kind="FEE"), change=1)),
    "a balance": ("balances", lambda: plant(Balance.objects.all(), total=D("1"))),
    "a trade's profit": ("profits", lambda: plant(Fill.objects.all(), realized_pnl=D("5"))),
    "a trade's price": ("positions", lambda: plant(Fill.objects.all(), quote_quantity=D("5"))),
    "a position": ("positions", lambda: plant(Position.objects.all(), cost_quote=D("5"))),
    "dust": ("positions", lambda: plant(Position.objects.all(), carried_quantity=D("0.5"))),
    "an order": ("orders", lambda: plant(Order.objects.filter(leg="ENTRY"), filled_quote=D("5"))),
    "equity": ("equity", lambda: plant(RiskMetrics.objects.all(), equity=D("5"))),
    "a high-water mark": ("equity", lambda: plant(RiskMetrics.objects.all(), high_water_mark=1)),
    "unrealized": ("equity", lambda: plant(RiskMetrics.objects.all(), unrealized_pnl=D("0.1"))),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_sees_a_wrong(traded, name):
    traded.unsound = "something is planted"
    section, make = WRONG[name]
    make()()

    assert getattr(recount(traded), section).findings


def test_the_command_says_equal_or_names_what_differs(traded, settings, capsys):
    settings.ACCOUNT_NAME = "test"
    call_command("recompute_ledger")
    assert "EQUAL to the last digit" in capsys.readouterr().out

    traded.unsound = "something is planted"
    balance = Balance.objects.get(asset="USDT")
    Balance.objects.filter(pk=balance.pk).update(total=balance.total + D("1e-18"))
    with pytest.raises(SystemExit) as ending:
        call_command("recompute_ledger", "--json")

    told = json.loads(capsys.readouterr().out)
    assert ending.value.code == 1
    assert not told["equal"]
    assert told["sections"]["balances"]["differences"][0]["subject"] == "balance:USDT"
