"""Several strategies of one backtest, and what each is told."""

import pytest

from core.errors import InvalidInput
from execution.backtest.parts import flatten, read_parts
from execution.backtest.request import BacktestRequest, parse_request
from markets.domain.timeframe import Timeframe


def test_it_tells_every_strategy_what_it_knows_and_one_what_is_for_it():
    given = {"slow.fast": 24, "fast": 6, "base_position_size": 300, "slow.slow": "96"}

    model, quick, slow = read_parts("model+ema_rsi:quick+ema_rsi:slow", given)

    assert [part.name for part in (model, quick, slow)] == ["model", "quick", "slow"]
    assert (quick.parameters["fast"], slow.parameters["fast"]) == (6, 24)
    assert (quick.parameters["slow"], slow.parameters["slow"]) == (48, 96)
    assert {part.parameters["base_position_size"] for part in (model, quick, slow)} == {300.0}


def test_its_flat_form_says_the_same():
    parts = read_parts("model+momentum:m", {"m.bars": 7, "min_edge_bps": 9})

    assert read_parts("model+momentum:m", flatten(parts)) == parts


@pytest.mark.parametrize(
    ("strategy", "given", "field", "words"),
    [
        ("luck", {}, "strategy", "one of model"),
        ("model+model", {}, "strategy", "of different names"),
        ("model:A B", {}, "strategy", "of names such as model:slow"),
        ("+".join(f"momentum:m{n}" for n in range(6)), {}, "strategy", "5 strategies at most"),
        ("model+ema_rsi", {"other.fast": 1}, "other.fast", "of one of the strategies model"),
        ("model+ema_rsi", {"model.fast": 1}, "model.fast", "model takes"),
        ("model+ema_rsi", {"speed": 1}, "speed", "model+ema_rsi takes"),
        ("model", {"confidence_mode": "bold"}, "confidence_mode", "one of absolute, edge"),
        ("model", {"confidence_mode": 2}, "confidence_mode", "one of absolute, edge"),
        ("model", {"confidence_margin": 0.5}, "confidence_margin", "from 0 to 0.45"),
        ("model+model:b", {"b.horizon_bars": 5}, "b.horizon_bars", "share their models"),
    ],
)
def test_it_names_what_is_wrong(strategy, given, field, words):
    with pytest.raises(InvalidInput, match=words.replace("+", r"\+")) as caught:
        read_parts(strategy, given)

    assert caught.value.context["field"] == field


@pytest.mark.parametrize(("given", "number"), [("edge", 1), ("absolute", 0), (1, 1), (1.0, 1)])
def test_it_takes_the_confidence_mode_by_its_name(given, number):
    (part,) = read_parts("model", {"confidence_mode": given})

    assert part.parameters["confidence_mode"] == number
    assert read_parts("model", flatten((part,))) == (part,)


def test_a_request_of_several_survives_its_stored_form():
    request = BacktestRequest(
        symbols=("BTCUSDT",),
        interval=Timeframe.H1,
        strategy="model+ema_rsi",
        parameters={"ema_rsi.fast": 5},
    )

    assert parse_request(request.to_json()) == request
    assert parse_request({**request.to_json(), "strategy": ["model", "ema_rsi"]}) == request
