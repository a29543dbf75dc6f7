"""A desk starts though its books differ: positions need a guardian more than ever."""

import io

import pytest
from django.core.management.base import CommandError

from core.errors import TradingError
from tradingsite.management.commands import prepare_desk


def prepare(world, monkeypatch, settings, compare) -> str:
    settings.ACCOUNT_NAME = world.account.name
    monkeypatch.setattr(prepare_desk, "call_command", compare)
    monkeypatch.setattr(prepare_desk, "get_clock", lambda: world.clock)
    out = io.StringIO()
    prepare_desk.Command(stdout=out)._compare()
    return out.getvalue()


def test_red_is_said_and_keeps_nobody_from_starting(world, monkeypatch, settings):
    world.broker.held["USDT"] += 1

    def compare(_name: str) -> None:
        assert not world.reconcile().is_green
        raise SystemExit(1)

    said = prepare(world, monkeypatch, settings, compare)

    assert "nothing is entered until the differences are settled" in said
    world.reconcile(accept_external="a gift")


def test_an_exchange_that_does_not_answer_keeps_it_from_starting(world, monkeypatch, settings):
    def compare(_name: str) -> None:
        raise SystemExit(1) from TradingError("nobody answers")

    with pytest.raises(CommandError, match="could not be asked"):
        prepare(world, monkeypatch, settings, compare)
