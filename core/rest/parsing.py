"""The one way in which JSON is read from outside: anything doubtful is refused, with the reason."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser

from core.errors import InvalidInput

MAX_BODY_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_INTEGER_DIGITS = 40
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(r"[\[\]{}]")


class BodyTooLarge(InvalidInput):
    """The body has more bytes than we read."""

    code = "BODY_TOO_LARGE"


class StrictJSONParser(BaseParser):
    """Reads a JSON object from the request's body by ``parse_json``."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return parse_json(stream.read(MAX_BODY_BYTES + 1))


def parse_json(body: bytes) -> dict[str, Any]:
    """Return the object written in `body`.

    Raises:
        InvalidInput: Too large, not UTF-8, not JSON, not an object, too deep, a name twice, a
            number that is not finite or absurdly long, a character no database stores.
    """
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge(
            f"The body must not exceed {MAX_BODY_BYTES} bytes.", limit_bytes=MAX_BODY_BYTES
        )
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("The body must be UTF-8.", at_byte=error.start) from None
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"The body is not JSON: {error.msg}.", line=error.lineno, column=error.colno
        ) from None
    if not isinstance(value, dict):
        raise InvalidInput(
            'The body must be a JSON object such as {"symbol": "BTCUSDT"}.',
            found=type(value).__name__,
        )
    _check_text(value)
    return value


def _check_depth(text: str) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "{[" else -1
        if depth > MAX_DEPTH:
            raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH}.", limit=MAX_DEPTH)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidInput(f"The name {name[:64]!r} is given twice.", field=name[:64])
            seen.add(name)
    return found


def _no_constant(name: str) -> float:
    raise InvalidInput(f"{name} is not a JSON number.", value=name)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidInput("The number is out of range.", value=digits[:64])
    return number


def _whole(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise InvalidInput("The number is out of range.", value=digits[:64])
    return int(digits)


def _check_text(value: Any) -> None:
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= char <= "\udfff" for char in value):
            raise InvalidInput("Text must not hold NUL or half a surrogate pair.")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_text(name)
            _check_text(item)
    elif isinstance(value, list):
        for item in value:
            _check_text(item)
