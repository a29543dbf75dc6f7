"""Parameters as clients send them, read with the exchange's own complaints."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from simexchange.engine.decimals import ZERO
from simexchange.errors import ApiError
from simexchange.faces.params import Params, illegal, missing, one_or_more

CLIENT_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
NUMBER = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
WHOLE = re.compile(r"^[0-9]{1,20}$")
DECIMALS = 8
LARGEST = 2**63 - 1
"""Whole numbers, and prices and quantities in their smallest unit, are 64 bits wide."""

TIMES_IN_FORCE = ("GTC", "IOC", "FOK")
RESPONSES = ("ACK", "RESULT", "FULL")
REFUSED_CHOICES = {
    "side": (-1117, "Invalid side."),
    "type": (-1116, "Invalid orderType."),
    "timeInForce": (-1115, "Invalid timeInForce."),
    "cancelRestrictions": (-1145, "Invalid cancelRestrictions"),
    "pegPriceType": (-1210, "Invalid pegPriceType."),
    "pegOffsetType": (-1211, "Invalid pegOffsetType."),
}


def named(prefix: str, name: str) -> str:
    """Return a parameter's name: of a list's order it carries the order's role in front."""
    return prefix + name[0].upper() + name[1:] if prefix else name


def need(params: Params, name: str) -> str:
    """Return a mandatory parameter."""
    held = params.get(name, "")
    if not held:
        raise missing(name)
    return held


def need_one(params: Params, *names: str) -> None:
    """Refuse when none of these parameters was sent."""
    if not any(params.get(name) for name in names):
        listed = " or ".join(f"'{name}'" for name in names)
        raise ApiError(-1102, f"Param {listed} must be sent, but both were empty/null!")


def refuse_extra(params: Params, name: str) -> None:
    """Refuse a parameter that does not belong to the request."""
    if params.get(name):
        raise ApiError(-1106, f"Parameter '{name}' sent when not required.")


def symbol_of(params: Params, known: Mapping[str, Any]) -> str:
    """Return the mandatory symbol, known to the exchange."""
    symbol = need(params, "symbol")
    if symbol not in known:
        raise ApiError(-1121, "Invalid symbol.")
    return symbol


def _overflowed(name: str) -> ApiError:
    return ApiError(-1108, f"Parameter '{name}' overflowed.")


def number(params: Params, name: str) -> Decimal:
    """Return a price or quantity; zero when not sent."""
    text = params.get(name)
    if text is None:
        return ZERO
    if not text:
        raise ApiError(-1105, f"Parameter '{name}' was empty.")
    match = NUMBER.fullmatch(text)
    if match is None or not text.isascii():
        raise illegal(name, NUMBER.pattern)
    fraction = match.group(2)
    if fraction is not None and len(fraction.rstrip("0")) > DECIMALS + 1:
        raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
    held = Decimal(text)
    if held.scaleb(DECIMALS) > LARGEST:
        raise _overflowed(name)
    return held


def positive(params: Params, name: str, what: str) -> Decimal:
    """Return a price or quantity that, when sent, is more than zero."""
    held = number(params, name)
    if name in params and not held:
        raise ApiError(-1013, f"Invalid {what}.")
    return held


def whole(params: Params, name: str, default: int = 0) -> int:
    """Return an id, count or time."""
    text = params.get(name)
    if text is None:
        return default
    if not text:
        raise ApiError(-1105, f"Parameter '{name}' was empty.")
    if not WHOLE.fullmatch(text) or not text.isascii():
        raise illegal(name, WHOLE.pattern)
    held = int(text)
    if held > LARGEST:
        raise _overflowed(name)
    return held


def limit_of(params: Params, default: int = 500, most: int = 1000) -> int:
    """Return `limit`, cut to the most the exchange gives."""
    return max(1, min(whole(params, "limit", default), most))


def client_id(params: Params, name: str) -> str:
    """Return a client id, empty when not sent."""
    text = params.get(name)
    if text is None:
        return ""
    if not text:
        if name.startswith(("orig", "cancelOrig")):
            raise ApiError(-1119, "Original client order ID was empty.")
        raise ApiError(-1118, "New client order ID was empty.")
    if not CLIENT_ID.fullmatch(text):
        raise illegal(name, CLIENT_ID.pattern)
    return text


def flag(params: Params, name: str, *, default: bool = False) -> bool:
    """Return a switch."""
    text = params.get(name)
    if text is None:
        return default
    if text.lower() not in {"true", "false"}:
        raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
    return text.lower() == "true"


def choice(
    params: Params, name: str, allowed: tuple[str, ...], default: str = "", *, kind: str = ""
) -> str:
    """Return one of the allowed words; `kind` names the refusal where the name alone does not."""
    text = params.get(name) or default
    if text and text not in allowed:
        code, message = REFUSED_CHOICES.get(
            kind or name, (-1130, f"Data sent for parameter '{name}' is not valid.")
        )
        raise ApiError(code, message)
    return text


def need_choice(params: Params, name: str, allowed: tuple[str, ...], kind: str) -> str:
    """Return one of the allowed words, mandatory."""
    need(params, name)
    return choice(params, name, allowed, kind=kind)


def order_key(
    params: Params, id_name: str = "orderId", client_name: str = "origClientOrderId"
) -> tuple[int, str]:
    """Return (order id or 0, client id or empty), at least one of them given."""
    need_one(params, client_name, id_name)
    return whole(params, id_name), client_id(params, client_name)


def symbols_of(params: Params, known: Mapping[str, Any]) -> list[str] | None:
    """Return the symbols asked for by `symbol` or `symbols`, None when neither was sent."""
    one, listed = one_or_more(params)
    names = [symbol_of(params, known)] if one is not None else listed
    for name in names or ():
        if name not in known:
            raise ApiError(-1121, "Invalid symbol.")
    return names
