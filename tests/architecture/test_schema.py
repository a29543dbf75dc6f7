"""The OpenAPI description is complete: every operation, with its rows, fields and log-in."""

from typing import Any

import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    with GENERATOR_STATS.silence():
        found: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
        assert not GENERATOR_STATS._error_cache, dict(GENERATOR_STATS._error_cache)
        assert not GENERATOR_STATS._warn_cache, dict(GENERATOR_STATS._warn_cache)
    return found


def test_it_is_valid(schema: dict[str, Any]) -> None:
    validate_schema(schema)


def test_it_describes_tokens_and_money(schema: dict[str, Any]) -> None:
    parts = schema["components"]
    order = parts["schemas"]["OrderInput"]["properties"]

    assert parts["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}
    assert order["quantity"]["type"] == "string"
    assert order["symbol"]["pattern"] == "^[A-Z0-9]{2,32}$"
    assert parts["schemas"]["LimitsInput"]["properties"]["max_positions"]["type"] == "integer"
    assert parts["schemas"]["TradesRow"]["properties"]["price"]["type"] == "string"
    assert parts["schemas"]["TradesRow"]["properties"]["timestamp"]["format"] == "date-time"


def test_every_list_tells_its_rows(schema: dict[str, Any]) -> None:
    lists = {
        path: item["get"]
        for path, item in schema["paths"].items()
        if any(each["name"] == "cursor" for each in item.get("get", {}).get("parameters", []))
    }

    assert {"/orders", "/trades", "/alerts", "/audit", "/sentiment/{symbol}"} <= set(lists)
    for path, operation in lists.items():
        answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer["$ref"].startswith("#/components/schemas/Paginated"), path
