"""Serializer parts that take nothing but what they ask for."""

import re
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from core.rest.encoding import plain

_PLAIN = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9]{2,32}", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,19}", re.ASCII)


class ExactDecimal(serializers.Field):
    """A positive decimal, sent as a plain string (``"0.015"``) or as a JSON integer.

    Floats are refused because they have lost the sender's digits already; so are exponents,
    signs, blanks, underscores and digits of other scripts.

    Args:
        max_digits: Digits in all.
        decimal_places: Digits after the point.
        allow_zero: Whether 0 is a value here.
    """

    default_error_messages = {
        "not_plain": 'Must be a plain decimal string such as "0.015".',
        "float": 'Must be a string, not a JSON float: write "0.015" in quotes.',
        "too_long": "Has more than {limit} digits {where}.",
        "zero": "Must be above zero.",
    }

    def __init__(
        self,
        *,
        max_digits: int = 38,
        decimal_places: int = 18,
        allow_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_digits = max_digits
        self.decimal_places = decimal_places
        self.allow_zero = allow_zero

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, float):
            self.fail("float")
        if isinstance(data, int) and not isinstance(data, bool):
            data = str(data)
        if not isinstance(data, str) or len(data) > 81 or not _PLAIN.fullmatch(data):
            self.fail("not_plain")
        whole, _, fraction = data.partition(".")
        if len(fraction) > self.decimal_places:
            self.fail("too_long", limit=self.decimal_places, where="after the point")
        if len(whole.lstrip("0")) > self.max_digits - self.decimal_places:
            limit = self.max_digits - self.decimal_places
            self.fail("too_long", limit=limit, where="before the point")
        value = Decimal(data)
        if value == 0 and not self.allow_zero:
            self.fail("zero")
        return value

    def to_representation(self, value: Decimal) -> str:
        return plain(value)


class Symbol(serializers.Field):
    """A trading pair as exchanges write it: ASCII capitals and digits, nothing around them."""

    default_error_messages = {
        "not_a_symbol": "Must be a symbol in capitals without a separator, such as BTCUSDT."
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not _SYMBOL.fullmatch(data):
            self.fail("not_a_symbol")
        return data

    def to_representation(self, value: str) -> str:
        return value


class Whole(serializers.Field):
    """A whole number from `minimum` to `maximum`, as a JSON integer or as plain ASCII digits."""

    default_error_messages = {"not_whole": "Must be a whole number from {minimum} to {maximum}."}

    def __init__(self, *, minimum: int = 0, maximum: int = 2**31 - 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum = minimum
        self.maximum = maximum

    def to_internal_value(self, data: Any) -> int:
        text = str(data) if isinstance(data, int) and not isinstance(data, bool) else data
        is_plain = isinstance(text, str) and _DIGITS.fullmatch(text) is not None
        if not is_plain or not self.minimum <= int(text) <= self.maximum:
            self.fail("not_whole", minimum=self.minimum, maximum=self.maximum)
        return int(text)

    def to_representation(self, value: int) -> int:
        return value


class StrictSerializer(serializers.Serializer):
    """A serializer to which an unknown field is an error, not something to skip."""

    default_error_messages = {"unknown": "This field is not known here."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(str(name)[:64] for name in data if name not in writable)
            if unknown:
                message = self.error_messages["unknown"]
                raise serializers.ValidationError(
                    {name: [message] for name in unknown}, code="unknown"
                )
        return super().to_internal_value(data)
