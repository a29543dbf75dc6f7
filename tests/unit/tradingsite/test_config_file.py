"""The settings file is read strictly: what it says is what is meant, or it is refused."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradingsite.config_file import ConfigInvalid, parse_config, render_config

PROMISED = b"""
risk_management: {max_position_size: 10000, max_positions: 10, max_daily_loss: 1000, max_drawdown: 0.1, stop_loss_percent: 0.02, take_profit_percent: 0.05}   # USD, USD, fractions
trading: {symbols: [BTCUSDT, ETHUSDT], base_position_size: 1000, min_confidence: 0.6, allow_short: false}
ml: {retrain_error_threshold: 0.02, retrain_interval_hours: 24}
"""  # noqa: E501 - the promised file, word for word


def problems_of(text: str | bytes) -> list[dict[str, str]]:
    raw = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigInvalid) as caught:
        parse_config(raw)
    problems = caught.value.context["problems"]
    assert all(problem["fix"] for problem in problems)
    return problems


def test_it_reads_the_promised_file() -> None:
    assert parse_config(PROMISED) == {
        "risk": {
            "max_position_size": Decimal(10000),
            "max_positions": 10,
            "max_daily_loss": Decimal(1000),
            "max_drawdown_fraction": Decimal("0.1"),
            "stop_loss_fraction": Decimal("0.02"),
            "take_profit_fraction": Decimal("0.05"),
        },
        "execution": {
            "symbols": ("BTCUSDT", "ETHUSDT"),
            "base_position_size": Decimal(1000),
            "min_confidence": Decimal("0.6"),
            "allow_short": False,
        },
        "mlmodels": {
            "retrain_error_threshold": Decimal("0.02"),
            "retrain_interval_hours": 24,
        },
    }


def test_it_writes_what_it_reads() -> None:
    values = parse_config(PROMISED)
    values["execution"] |= {"confidence_mode": "edge", "confidence_margin": Decimal("0.02")}

    assert parse_config(render_config(values).encode()) == values


def test_it_leaves_out_what_the_file_leaves_out() -> None:
    values = parse_config(b"risk_management:\n  max_positions: 3\n")

    assert values == {"risk": {"max_positions": 3}, "execution": {}, "mlmodels": {}}


@pytest.mark.parametrize(
    "value",
    [
        '"10%"', "10%", ".nan", ".inf", "-1", "+1", "1e3", "0x10", "010", "1_000", "1,5", "'1000'",
        "true", "null", "~", "", "[1000]", "{a: 1}", "\uff11\uff10", "1000 USD",
        "0.0000000000000000001",
        "100000000000000000000", "2026-01-01", "1:30",
    ],
)  # fmt: skip
def test_it_refuses_what_is_no_plain_number(value: str) -> None:
    [problem] = problems_of(f"risk_management:\n  max_position_size: {value}\n")

    assert problem["key"] == "risk_management.max_position_size"


@pytest.mark.parametrize("value", ["10.5", "1e1", "yes", '"10"', "-3"])
def test_it_refuses_what_is_no_whole_number(value: str) -> None:
    [problem] = problems_of(f"risk_management:\n  max_positions: {value}\n")

    assert problem["key"] == "risk_management.max_positions"


@pytest.mark.parametrize("value", ["yes", "no", "on", "off", "True", "FALSE", "0", "1", '"false"'])
def test_it_takes_only_true_and_false(value: str) -> None:
    [problem] = problems_of(f"trading:\n  allow_short: {value}\n")

    assert problem["key"] == "trading.allow_short"


@pytest.mark.parametrize(
    "value",
    ["BTCUSDT", "[]", "[btcusdt]", "[BTC/USDT]", "[BTCUSDT, BTCUSDT]", "[[BTCUSDT]]", "[\u0243]"],
)
def test_it_refuses_odd_symbols(value: str) -> None:
    [problem] = problems_of(f"trading:\n  symbols: {value}\n")

    assert problem["key"] == "trading.symbols"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("risk: {}", "risk"),
        ("risk_management: {max_loss: 1}", "risk_management.max_loss"),
        ("risk_management: {max_positions: 1, max_positions: 2}", "risk_management.max_positions"),
        ("ml: {retrain_interval_hours: 1}\nml: {retrain_interval_hours: 2}", "ml"),
        ("ml: 5", "ml"),
        ("ml:", "ml"),
        ("- ml", "file"),
        ("", "file"),
        ("# nothing", "file"),
        ("ml: {}", "file"),
        ("1: 2", "1"),
        ("[a]: 2", "a list"),
    ],
)
def test_it_names_the_key_that_is_wrong(text: str, key: str) -> None:
    assert problems_of(text)[0]["key"] == key


@pytest.mark.parametrize(
    "text",
    [
        "ml: &a {retrain_interval_hours: 1}",
        "ml: &a {retrain_interval_hours: 1}\ntrading: *a",
        "ml: !!python/object:os.system {retrain_interval_hours: 1}",
        "ml: {retrain_interval_hours: !!int 1}",
        "a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]",
    ],
)
def test_it_refuses_anchors_and_tags(text: str) -> None:
    [problem] = problems_of(text)

    assert "refused" in problem["fix"]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe\x00",
        b"a: [",
        b"a:\n\t- 1",
        b"ml: {retrain_interval_hours: 1}\n---\nml: {}",
        b"a: \x00",
        b"x" * 70_000,
        b"[" * 30_000,
    ],
    ids=["utf-16", "open", "tab", "two documents", "nul", "huge", "deep"],
)
def test_it_refuses_what_is_no_yaml_of_ours(raw: bytes) -> None:
    assert problems_of(raw)


def test_it_lists_all_problems_at_once() -> None:
    problems = problems_of("risk_management: {max_positions: x, max_drawdown: 10%}\nodd: 1\n")

    assert {problem["key"] for problem in problems} == {
        "odd",
        "risk_management.max_positions",
        "risk_management.max_drawdown",
    }


@given(st.text(max_size=200))
def test_it_never_fails_in_another_way(text: str) -> None:
    with suppress(ConfigInvalid):
        assert parse_config(text.encode("utf-8", "surrogatepass"))
