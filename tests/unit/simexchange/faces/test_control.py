"""What the control calls refuse: field, value and what is taken; nothing changes then."""

from typing import Any

import orjson
import pytest

from tests.fakes.sim_front import Front

DAY = 86_400_000


@pytest.fixture
def front() -> Front:
    return Front()


def ask(front: Front, name: str, data: Any) -> tuple[int, Any]:
    reply = front.ask("POST", f"/_sim/{name}", "", orjson.dumps(data))
    return reply.status, orjson.loads(reply.body)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("advance", {"ms": "soon"}, "ms takes a whole number from 0 to 31622400000, was 'soon'"),
        ("advance", {"ms": 400 * DAY}, "ms takes a whole number from 0 to"),
        ("advance", {"ms": True}, "ms takes a whole number"),
        ("advance", [1], "a control call takes a JSON object, was [1]"),
        ("advance", {}, "missing or unknown: ms"),
        ("price", {"symbol": "DOGE", "price": 1}, "symbol is one of BTCUSDT, was 'DOGE'"),
        ("price", {"symbol": "BTCUSDT", "price": "NaN"}, "price must be a number, was 'NaN'"),
        ("price", {"symbol": "BTCUSDT", "path": [5]}, "a path's point is [ms_from_now, price]"),
        ("price", {"symbol": "BTCUSDT", "path": {}}, "path takes [[ms_from_now, price], ...]"),
        ("symbol", {"symbol": "BTCUSDT", "ocoAllowed": 1}, "ocoAllowed is true or false, was 1"),
        ("symbol", {"symbol": "BTCUSDT", "filters": {}}, "filters takes a list, was {}"),
        ("symbol", {"assetFilters": "x"}, "assetFilters takes a list"),
        ("account", {"account": "9", "asset": "BTC", "quantity": 1}, "account is one of 1"),
        ("account", {"asset": "btc", "quantity": 1}, "an asset is 1 to 20 capital letters"),
        ("account", {"asset": "BTC", "quantity": "Infinity"}, "quantity must be a number"),
        ("account", {"asset": "BTC", "quantity": "1e12"}, "quantity takes a number below"),
        ("account", {"asset": "BTC", "quantity": "0.000000001"}, "at most 8 decimals"),
        ("account", {"asset": "BNB", "quantity": "-1"}, "BNB has 0 free, cannot take 1"),
        ("account", {"key": "SIM1"}, "key 'SIM1' is in use"),
        ("account", {"key": "a", "balances": ["BTC"]}, "balances takes an object"),
        ("account", {"key": ["a"]}, "key takes a text, was ['a']"),
        ("account", {"account": "1", "can_trade": "no"}, "can_trade is true or false"),
        ("account", {"account": "1", "trade_group": 1.5}, "trade_group takes a whole number"),
        ("account", {"account": "1", "commission": 3}, "commission takes an object"),
        ("account", {"account": "1", "commission": {"discount": "NaN"}}, "discount must be a num"),
        ("account", {"account": "1", "can_trade": False, "revoke": "x"}, "'x' is not one of"),
        ("faults", {"fault": "delay", "ms": 1e300}, "ms of fault delay must lie from 0 to"),
        ("faults", {"fault": "delay", "ms": 1, "when": "now"}, "when of fault delay is one of"),
        ("faults", {"fault": "http", "status": 7}, "status of fault http must lie from 200 to 599"),
        ("faults", {"fault": ["x"]}, "fault must be one of"),
        ("faults", {"fault": "delay", "ms": 1, "match": {"path": 3}}, "match takes texts of"),
        ("faults", {"fault": "filters", "symbol": "X", "filters": []}, "symbol is one of BTCUSDT"),
        (
            "faults",
            {"fault": "filters", "symbol": "BTCUSDT", "filters": [1], "match": {"method": "POST"}},
            "filterType must be one of",
        ),
    ],
)
def test_it_names_what_it_does_not_take_and_changes_nothing(
    front: Front, name: str, data: Any, words: str
) -> None:
    before, rules = front.snapshot(), front.exchange.rules["BTCUSDT"].describe()
    trades = front.account.can_trade

    status, told = ask(front, name, data)

    assert status == 400
    assert words in told["error"]
    assert front.snapshot() == before
    assert front.exchange.rules["BTCUSDT"].describe() == rules
    assert front.account.can_trade is trades
    assert front.faults.rules == []


def test_a_cut_reply_is_cut_although_another_fault_would_read_it(front: Front) -> None:
    front.add_faults(
        [{"fault": "not_found_for", "ms": 1, "with": [{"fault": "truncate_reply"}], "times": 0}]
    )

    front.place("BUY", quantity="1")

    assert front.befallen
    assert len(front.ledger.orders) == 1
