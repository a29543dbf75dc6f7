"""Every kind of bad input that REST must expect, as a table of requests."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

JSON = "application/json"
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LIMIT = {**ORDER, "type": "LIMIT", "price": "49000"}
KEY = "the-first-order"


class Bad(NamedTuple):
    """A request that must be refused, with the status that fits."""

    name: str
    status: int
    method: str = "POST"
    path: str = "/trading/order"
    body: Any = None
    content_type: str = JSON
    headers: dict[str, str] = {}
    token: str | None = "token"


def as_bytes(body: Any) -> bytes:
    """Return what is sent for a body of the table."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def _raw(**fields: str) -> bytes:
    """Return an order whose named fields are the JSON text given."""
    pairs = [f'"{name}": {json.dumps(value)}' for name, value in ORDER.items()]
    pairs = [pair for pair in pairs if pair.split('"')[1] not in fields]
    pairs += [f'"{name}": {text}' for name, text in fields.items()]
    return ("{" + ", ".join(pairs) + "}").encode()


# --- the body as such ------------------------------------------------------------------------
DEEP = b'{"symbol": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BODIES: dict[str, tuple[int, Any]] = {
    "no body": (400, b""),
    "blank body": (400, b" \n\t "),
    "cut off": (400, b'{"symbol": "BTCUSDT"'),
    "no JSON": (400, b"symbol=BTCUSDT&side=BUY"),
    "trailing comma": (400, b'{"symbol": "BTCUSDT",}'),
    "two objects": (400, b"{}{}"),
    "array": (400, [ORDER]),
    "string": (400, "BTCUSDT"),
    "null": (400, b"null"),
    "number": (400, b"7"),
    "empty object": (400, {}),
    "10 MiB": (413, b'{"symbol": "' + b"A" * 10_485_760 + b'"}'),
    "10 MiB of blanks": (413, b" " * 10_485_760 + as_bytes(ORDER)),
    "100,000 deep": (400, DEEP),
    "a name twice": (400, _raw(quantity='"1", "quantity": "1000"')),
    "a name twice, escaped": (400, _raw(quantity='"1", "quantit\\u0079": "1000"')),
    "UTF-16": (400, json.dumps(ORDER).encode("utf-16")),
    "byte order mark": (400, b"\xef\xbb\xbf" + as_bytes(ORDER)),
    "no UTF-8": (400, as_bytes(ORDER).replace(b"BTCUSDT", b"BTC\xff")),
    "half a surrogate": (400, _raw(symbol='"BTC\\ud800"')),
    "gzip": (400, b"\x1f\x8b\x08\x00" + b"\x00" * 40),
}
# --- numbers ---------------------------------------------------------------------------------
NUMBERS = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "float": "0.1",
    "negative zero": "-0",
    "float negative zero": "-0.0",
    "1e400": "1e400",
    "1e-400": "1e-400",
    "1e2": "1e2",
    "negative": "-1",
    "zero": "0",
    "true": "true",
    "false": "false",
    "null": "null",
    "list": "[]",
    "list of one": '["1"]',
    "object": "{}",
    "blank": '""',
    "space": '" "',
    "spaces around": '" 1 "',
    "newline": '"1\\n"',
    "NUL": '"1\\u0000"',
    "plus": '"+1"',
    "quoted negative": '"-1"',
    "quoted negative zero": '"-0"',
    "quoted zero": '"0.000"',
    "quoted NaN": '"NaN"',
    "quoted sNaN": '"sNaN"',
    "quoted Infinity": '"Infinity"',
    "quoted 1e400": '"1e400"',
    "quoted 1e-400": '"1e-400"',
    "quoted 1E2": '"1E2"',
    "decimal comma": '"1,5"',
    "thousands": '"1,000.5"',
    "full-width digits": '"\\uff11"',
    "Arabic digits": '"\\u0661"',
    "superscript": '"1\\u00b2"',
    "hexadecimal": '"0x10"',
    "underscore": '"1_000"',
    "no digit before the point": '".5"',
    "no digit after the point": '"1."',
    "two points": '"1.2.3"',
    "unit": '"1 BTC"',
    "percent": '"10%"',
    "19 decimals": '"0.0000000000000000001"',
    "21 whole digits": '"100000000000000000000"',
    "40 digits": '"' + "9" * 40 + '"',
    "40 digits, bare": "9" * 40,
    "5,000 digits, bare": "9" * 5_000,
    "1 MB of digits": '"' + "9" * 1_000_000 + '"',
    "SQL": '"1\'; DROP TABLE orders; --"',
    "HTML": '"<script>1</script>"',
}
# --- words -----------------------------------------------------------------------------------
SYMBOLS: dict[str, Any] = {
    "lower case": "btcusdt",
    "slash": "BTC/USDT",
    "dash": "BTC-USDT",
    "1 MB": "A" * 1_000_000,
    "33 letters": "A" * 33,
    "NUL": "BTCUSDT\x00",
    "newline": "BTCUSDT\n",
    "spaces around": " BTCUSDT ",
    "Cyrillic look-alike": "\u0412TCUSDT",
    "right-to-left mark": "\u200fBTCUSDT",
    "zero-width space": "BTC\u200bUSDT",
    "full width": "\uff22TCUSDT",
    "of the testnet, not Latin": "\u8fd9\u662f\u6d4b\u8bd5\u5e01456USDT",
    "SQL": "BTCUSDT' OR '1'='1",
    "SQL words": "SELECT",
    "HTML": "<img src=x onerror=alert(1)>",
    "path": "../../etc/passwd",
    "template": "{{7*7}}",
    "log injection": "BTC\r\nERROR forged",
    "empty": "",
    "null": None,
    "number": 7,
    "true": True,
    "list": ["BTCUSDT"],
    "object": {"$ne": ""},
    "unknown": "NOSUCHUSDT",
}
FIELDS: dict[str, dict[str, Any]] = {
    "unknown side": {"side": "HOLD"},
    "side in small letters": {"side": "buy"},
    "side with a space": {"side": "BUY "},
    "side null": {"side": None},
    "side true": {"side": True},
    "side list": {"side": ["BUY"]},
    "side object": {"side": {}},
    "unknown type": {"type": "ICEBERG"},
    "type with a space": {"type": " MARKET"},
    "type null": {"type": None},
    "type of a pair": {"type": "OCO"},
    "limit without price": {"type": "LIMIT"},
    "limit with price null": {"type": "LIMIT", "price": None},
    "limit maker without price": {"type": "LIMIT_MAKER"},
    "market with price": {"price": "50000"},
    "market with a time in force": {"time_in_force": "GTC"},
    "limit maker with a time in force": {
        "type": "LIMIT_MAKER",
        "price": "49000",
        "time_in_force": "GTC",
    },
    "unknown time in force": {**LIMIT, "time_in_force": "GTD"},
    "time in force with a space": {**LIMIT, "time_in_force": "GTC "},
    "time in force a list": {**LIMIT, "time_in_force": []},
    "unknown field": {"leverage": "10"},
    "misspelt field": {"quanity": "1"},
    "field in capitals": {"Quantity": "1"},
    "empty field name": {"": "1"},
    "1 kB field name": {"x" * 1_000: "1"},
    "mass assignment of state": {"state": "APPROVED"},
    "mass assignment of epoch": {"epoch": 1, "approved_epoch": 1},
    "mass assignment of role": {"role": "admin", "is_staff": True},
    "mass assignment of account": {"account_id": 2},
    "mass assignment of id": {"id": 1, "pk": 1},
    "mass assignment of leg": {"leg": "EXIT", "is_reduce_only": True},
    "prototype": {"__proto__": {"x": 1}, "constructor": {}},
}
KEYS = {
    "empty": "",
    "blank": "   ",
    "65 characters": "k" * 65,
    "1 MB": "k" * 1_000_000,
    "not ASCII": "sch\u00f6n",
    "control character": "a\x07b",
    "newline": "a\nb",
}
TOKENS = {
    "no scheme": "{token}",
    "other scheme": "Basic {token}",
    "two blanks": "Bearer  {token}",
    "trailing blank": "Bearer {token} ",
    "in two parts": "Bearer {token} x",
    "empty": "",
    "scheme only": "Bearer",
    "scheme and blank": "Bearer ",
    "unknown": "Bearer tsk_nobody_knows_this_one",
    "other prefix": "Bearer sk_live_0123456789abcdef",
    "one letter short": "Bearer {cut}",
    "capitals": "Bearer {upper}",
    "1 MB": "Bearer " + "t" * 1_000_000,
    "not ASCII": "Bearer t\u00f6ken",
    "a list of two": "Bearer {token}, Bearer {token}",
    "SQL": "Bearer ' OR 1=1 --",
}
TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
         "application/xml", "application/json-patch+json", "nonsense", "text/html")  # fmt: skip
ACTIONS: dict[str, tuple[str, str, Any]] = {
    "close": ("POST", "/positions/close", {"symbol": "BTCUSDT"}),
    "subscribe": ("POST", "/data/subscribe", {"symbol": "ETHUSDT", "timeframe": "1h"}),
    "halt": ("POST", "/risk/halt", {"reason": "x"}),
    "rearm": ("POST", "/risk/rearm", {"reason": "x"}),
    "limits": ("PUT", "/risk/limits", {"max_positions": 4, "reason": "x"}),
    "start": ("POST", "/system/start", {"reason": "x"}),
    "stop": ("POST", "/system/stop", {"reason": "x"}),
    "cancel": ("DELETE", "/trading/order/1", None),
}
ODD_ACTIONS: dict[str, list[Any]] = {
    "close": [
        {}, {"symbol": "BTCUSDT", "all": True}, {"all": False}, {"all": "perhaps"}, {"all": None},
        {"symbol": "btcusdt"}, {"symbol": "BTCUSDT\n"}, {"symbol": ""}, {"symbol": None},
        {"symbol": "BTCUSDT", "force": True}, {"symbol": ["BTCUSDT"]}, {"all": [True]},
    ],
    "subscribe": [
        {}, {"symbol": "BTC/USDT"}, {"symbol": "NOSUCHUSDT"}, {"symbol": "BTCUSDT\n"},
        {"symbol": "btcusdt"}, {"symbol": "BTCUSDT", "timeframe": "7m"},
        {"symbol": "BTCUSDT", "timeframe": "1H"}, {"symbol": "BTCUSDT", "timeframe": None},
        {"symbol": "BTCUSDT", "timeframe": ["1h"]}, {"symbol": "BTCUSDT", "depth": 5},
        {"symbol": "A" * 1_000_000},
    ],
    "halt": [
        {}, {"reason": ""}, {"reason": " "}, {"reason": None}, {"reason": "x" * 501},
        {"reason": "x", "level": "ACTIVE"}, {"reason": "x", "level": "halt"}, {"reason": ["x"]},
        {"reason": "x", "level": None}, {"reason": "x", "epoch": 9}, {"reason": "x\x00"},
    ],
    "rearm": [
        {}, {"reason": " "}, {"reason": "x", "reset_drawdown": "perhaps"},
        {"reason": "x", "level": "ACTIVE"}, {"reason": "x", "reset_drawdown": None},
    ],
    "limits": [
        {}, {"max_positions": 4}, {"reason": "x", "max_positions": 0},
        {"reason": "x", "max_positions": -1}, {"reason": "x", "max_positions": 10**30},
        {"reason": "x", "max_positions": 4.5}, {"reason": "x", "max_positions": "four"},
        {"reason": "x", "max_positions": True}, {"reason": "x", "max_positions": None},
        {"reason": "x", "max_positions": "\uff14"}, {"reason": "x", "max_positions": " 4 "},
        {"reason": "x", "max_daily_loss": "NaN"}, {"reason": "x", "max_daily_loss": 0.5},
        {"reason": "x", "max_daily_loss": "-1"}, {"reason": "x", "max_daily_loss": "0"},
        {"reason": "x", "max_daily_loss": "1e30"}, {"reason": "x", "max_daily_loss": ""},
        {"reason": "x", "max_daily_loss": None}, {"reason": "x", "fee_fraction": "2"},
        {"reason": "x", "max_position_size": "1" + "0" * 30},
        {"reason": "x", "max_drawdown_fraction": "10"}, {"reason": "x", "stop_loss_fraction": "2"},
        {"reason": "x", "stop_loss_percent": "0.02"}, {"reason": "x", "id": 2},
        {"reason": "x", "max_positions": 4, "version": 10**30},
        {"reason": "x", "max_positions": 4, "version": 7},
    ],
    "start": [{"reason": "x" * 201}, {"reason": None}, {"reason": ""}, {"force": True}],
    "stop": [{"reason": "x" * 201}, {"reason": None}, {"reason": ""}, {"level": "ACTIVE"}],
}  # fmt: skip
ORDER_IDS = ("-1", "0", "99999999", "9223372036854775808", "9" * 400, "1.0", "1e3", "abc", "%00",
             "00000000-0000-0000-0000-000000000001", "\uff11", "1;DROP", "..%2f1")  # fmt: skip
QUERIES = ("page=0", "page=-1", "page=1000000000", "limit=0", "limit=-1", "limit=1000000000",
           "limit=1e3", "limit=%EF%BC%91", "limit=", "cursor=x", "cursor=" + "A" * 2_000,
           "cursor=%00", "ordering=user__password", "symbol__regex=(a%2B)%2B%24", "since=yesterday",
           "since=99999-01-01", "state=NOPE", "side=buy", "statuss=open",
           "fields=account__name", "symbol=%00")  # fmt: skip


def _orders() -> Iterator[Bad]:
    for name, (status, body) in BODIES.items():
        yield Bad(f"body: {name}", status, body=body)
    for name, text in NUMBERS.items():
        yield Bad(f"quantity: {name}", 400, body=_raw(quantity=text))
    for name, text in NUMBERS.items():
        yield Bad(f"price: {name}", 400, body=_raw(type='"LIMIT"', price=text))
    for name, symbol in SYMBOLS.items():
        status = 404 if symbol in ("NOSUCHUSDT", "SELECT") else 400
        yield Bad(f"symbol: {name}", status, body={**ORDER, "symbol": symbol})
    for name, changes in FIELDS.items():
        yield Bad(f"field: {name}", 400, body={**ORDER, **changes})
    for name in ORDER:
        if name != "type":
            body = {key: value for key, value in ORDER.items() if key != name}
            yield Bad(f"field: without {name}", 400, body=body)
    for name, key in KEYS.items():
        headers = {"Idempotency-Key": key}
        yield Bad(f"key: {name}", 400, body=ORDER, headers=headers)
    yield Bad("key: of another order", 409, body=LIMIT, headers={"Idempotency-Key": KEY})
    for name in TYPES:
        yield Bad(f"content type: {name or 'none'}", 415, body=as_bytes(ORDER), content_type=name)
    yield Bad("accept: nothing we have", 406, body=ORDER, headers={"Accept": "text/csv"})


def _calls() -> Iterator[Bad]:
    for name in ("PUT", "PATCH", "DELETE", "GET", "TRACE", "HEAD", "PROPFIND"):
        yield Bad(f"method: {name}", 405, method=name, body=ORDER)
    override = {"X-HTTP-Method-Override": "POST"}
    yield Bad("method: overridden", 405, method="GET", headers=override)
    for name in ("expired", "revoked", "disabled", None):
        yield Bad(f"token: {name or 'none'}", 401, body=ORDER, token=name)
    yield Bad("token: read only", 403, body=ORDER, token="read_only")
    yield Bad("token: in the query", 401, path="/trading/order?token={token}", token=None)
    for name, header in TOKENS.items():
        headers = {"Authorization": header}
        yield Bad(f"token: {name}", 401, body=ORDER, headers=headers, token=None)
    for order_id in ORDER_IDS:
        path = f"/trading/order/{order_id}"
        yield Bad(f"order id: {order_id[:40]}", 404, method="DELETE", path=path)
    for path in ("/data/%00/ticker", "/data/%00/klines", "/sentiment/%00", "/data/%FF/ticker"):
        yield Bad(f"path: {path}", 404, "GET", path)
    for query in QUERIES:
        yield Bad(f"list: {query[:40]}", 400, "GET", f"/orders?{query}")


def _actions() -> Iterator[Bad]:
    for action, (method, path, body) in ACTIONS.items():
        for token, status in (("expired", 401), ("read_only", 403), (None, 401)):
            yield Bad(f"{action}: token {token}", status, method, path, body, token=token)
        yield Bad(f"{action}: PATCH", 405, "PATCH", path, body)
        if action == "cancel":
            continue
        yield Bad(f"{action}: form", 415, method, path, b"reason=x", "text/plain")
        for name, (status, odd) in BODIES.items():
            # A reason is optional where the system is started and stopped.
            if action not in ("start", "stop") or name not in ("empty object", "no body"):
                yield Bad(f"{action}: body {name}", status, method, path, odd)
        for odd in ODD_ACTIONS[action]:
            shown = json.dumps(odd)[:60]
            yield Bad(f"{action}: {shown}", _status_of(odd), method, path, odd)


def _status_of(body: dict[str, Any]) -> int:
    if body.get("symbol") == "NOSUCHUSDT":
        return 404
    return 409 if body.get("version") == 7 else 400


TABLE = [*_orders(), *_calls(), *_actions()]
