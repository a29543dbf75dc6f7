"""JSON out: money as strings, times as ISO 8601 in UTC.

Apart from the REST framework's renderer, so that workers can push messages without the framework.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from django.utils.functional import Promise

# Without OPT_SERIALIZE_NUMPY: with it the first message imports numpy, 14 MB, in every process.
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def dumps(value: Any) -> bytes:
    """Return `value` as JSON; decimals become strings, a float that is not finite null."""
    return orjson.dumps(value, default=_default, option=_OPTIONS)


def plain(value: Decimal) -> str:
    """Return the digits of `value` without exponent and without trailing zeros."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if hasattr(value, "tolist"):
        return value.tolist()  # numpy's scalars and arrays
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
