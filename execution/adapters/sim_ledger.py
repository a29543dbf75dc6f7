"""The local exchange's own ledger: what it holds for true, past every face and fault."""

import json
import urllib.request
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from core.clock import from_ms, to_ms
from core.errors import InvalidInput, NotFound, TemporaryExchangeError
from execution.adapters.binance_reports import order_report, trade
from execution.domain.truth import SeenRequest, VenueTruth
from markets.adapters.binance_client import is_loopback

_TIMEOUT_S = 30


def read_sim_ledger(url: str, *, api_key: str, since: datetime) -> VenueTruth:
    """Return the truth of the account with this key, from `since` on.

    Args:
        url: Of a local exchange, such as ``http://127.0.0.1:9443``.
        api_key: The account's key.
        since: When our books were opened; what was before is not ours.

    Raises:
        InvalidInput: The address is not of this machine.
        NotFound: The exchange has no account with this key.
        TemporaryExchangeError: It does not answer.
    """
    if urlsplit(url).scheme not in ("http", "https") or not is_loopback(url):
        raise InvalidInput(
            "The ledger's address must be of this machine such as http://127.0.0.1:9443,"
            f" was {url}",
            field="against_ledger",
            value=url,
        )
    ledger = _fetch(f"{url.rstrip('/')}/_sim/ledger")
    if not any(item["key"] == api_key for item in ledger["accounts"]):
        raise NotFound(f"The exchange at {url} has no account with our key", url=url)
    return truth_of(ledger, api_key=api_key, since=since)


def truth_of(ledger: Any, *, api_key: str, since: datetime) -> VenueTruth:
    """Return the truth of the account with this key out of a whole ledger that has it."""
    own = next(item for item in ledger["accounts"] if item["key"] == api_key)
    since_ms = to_ms(since)

    def rows(kind: str) -> list[Any]:
        return [
            row
            for row in ledger[kind]
            if row["account"] == own["account"] and row["time"] >= since_ms
        ]

    orders = rows("orders")
    return VenueTruth(
        since=since,
        orders=tuple(order_report(view) for view in orders),
        created_at={
            (str(view["symbol"]), int(view["orderId"])): from_ms(int(view["time"]))
            for view in orders
        },
        executions=tuple(trade(view) for view in rows("trades")),
        totals={
            item["asset"]: Decimal(item["free"]) + Decimal(item["locked"])
            for item in own["balances"]
        },
        requests=tuple(
            SeenRequest(
                method=row["method"],
                path=row["path"],
                client_order_id=row["client_order_id"],
                at=from_ms(int(row["time"])),
            )
            for row in ledger["requests"]
        ),
    )


def _fetch(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply:  # noqa: S310 - loopback, checked
            return json.load(reply)
    except OSError as error:
        raise TemporaryExchangeError(f"no ledger at {url}: {error}", url=url) from error
