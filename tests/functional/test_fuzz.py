"""Anything at all, sent to every operation of the OpenAPI schema: never a 500.

The inputs are drawn from each operation's own schema, mixed with values of another kind, missing
and surplus ones. ``FUZZ_EXAMPLES`` sets how many requests each operation gets (nightly: hundreds).
"""

import json
import os
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.floor import Floor
from tests.functional.conftest import Callers

SIM_OPTIONS = ("--generate", "--symbols", "BTCUSDT,ETHUSDT", "--balance", "USDT=100000")
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "8"))
SCHEMA = SchemaGenerator().get_schema(request=None, public=True)
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method.upper()} {path}")
    for path, item in SCHEMA["paths"].items()
    for method, operation in item.items()
    if method in ("get", "post", "put", "patch", "delete")
]
TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", " ", "\x00", "NaN", "-0", "1e400", "\uff19", "' OR 1=1 --", "<b>", "../..",
                     "BTCUSDT", "2026-03-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9" * 400]),
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 2**31, 2**63 - 1, 2**63, 2**64]),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references and the wrappers that drf-spectacular puts around enumerations."""
    if "$ref" in schema:
        return resolve(SCHEMA["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for key in ("oneOf", "allOf", "anyOf"):
        if key in schema:
            return resolve(schema[key][0])
    return schema


def near(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that fit the schema, more or less."""
    schema = resolve(schema)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("type") == "object":
        fields = {name: near(each) for name, each in schema.get("properties", {}).items()}
        wrong = {name: value | ANYTHING for name, value in fields.items()}
        return st.one_of(
            st.fixed_dictionaries(fields),
            st.fixed_dictionaries({}, optional=wrong),
            st.dictionaries(TEXT, ANYTHING, max_size=3),
        )
    if schema.get("type") == "array":
        return st.lists(near(schema.get("items", {})), max_size=3)
    if schema.get("type") == "boolean":
        return st.booleans()
    if schema.get("type") in ("integer", "number"):
        return st.integers(0, 1000) | NUMBERS
    return st.sampled_from(["BTCUSDT", "0.01", "7", "because"]) | TEXT


@pytest.fixture(scope="module")
def client(floor: Floor, callers: Callers) -> Client:
    headers = {"Authorization": f"Bearer {callers.token}"}
    return Client(raise_request_exception=False, headers=headers)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_it_never_answers_500(
    client: Client, path: str, method: str, operation: dict[str, Any]
) -> None:
    parameters = operation.get("parameters", [])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        address, query = path, []
        for parameter in parameters:
            value = near(parameter.get("schema", {})) | TEXT
            if parameter["in"] == "path":
                text = quote(str(data.draw(value, label=parameter["name"])), safe="")
                address = address.replace(f"{{{parameter['name']}}}", text or "x")
            elif data.draw(st.booleans()):
                query.append((parameter["name"], str(data.draw(value, label=parameter["name"]))))
        if data.draw(st.integers(0, 9)) == 0:
            query.append((data.draw(TEXT), data.draw(TEXT)))
        sent = data.draw(near(body["schema"]) | ANYTHING) if body else None
        url = f"{address}?{urlencode(query, errors='replace')}" if query else address

        reply = client.generic(
            method.upper(),
            url,
            b"" if sent is None else json.dumps(sent).encode(),
            content_type="application/json",
        )

        assert reply.status_code < 500, (url, sent, reply.content[:300])
        if reply.status_code >= 400:
            assert set(reply.json()) == {"code", "message", "context"}

    run()
