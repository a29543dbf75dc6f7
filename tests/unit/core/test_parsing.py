import json

import pytest

from core.errors import InvalidInput
from core.rest.parsing import MAX_BODY_BYTES, BodyTooLarge, parse_json


def test_it_reads_an_object():
    assert parse_json(b'{"a": "1.50", "b": [1, null, true], "c": 0.5}') == {
        "a": "1.50",
        "b": [1, None, True],
        "c": 0.5,
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b" ", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"qty": "1", "qty": "1000"}', "given twice"),
        (b'{"a": {"b": 1, "b": 1}}', "given twice"),
        (b'{"a": NaN}', "not a JSON number"),
        (b'{"a": -Infinity}', "not a JSON number"),
        (b'{"a": 1e400}', "out of range"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "out of range"),
        (b"[]", "must be a JSON object"),
        (b"3", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"a": "\xff"}', "UTF-8"),
        ('\ufeff{"a": 1}'.encode(), "not JSON"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"a": ["\\ud800"]}', "surrogate"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "nested deeper"),
        (b'{"a":' + b"[" * 100_000, "nested deeper"),
        (b'{"a\\"": "[[[", "b":' + b"[" * 40 + b"]" * 40 + b"}", "nested deeper"),
    ],
)
def test_it_refuses_what_is_doubtful(body, words):
    with pytest.raises(InvalidInput, match=words):
        parse_json(body)


def test_it_does_not_count_brackets_inside_text():
    body = json.dumps({"a": "[{" * 500, "b": '\\"[' * 50}).encode()

    assert parse_json(body)["a"] == "[{" * 500


def test_it_refuses_a_body_above_the_limit():
    with pytest.raises(BodyTooLarge):
        parse_json(b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}')
