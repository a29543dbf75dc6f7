"""The open endpoints of a real exchange (or of another of these) that a mirror reads."""

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import orjson

from simexchange.market.bars import Ints
from simexchange.market.feedevents import FedCandle, FedSnapshot, candle_row, read_snapshot
from simexchange.market.grid import WIRE_DECIMALS, Grid
from simexchange.market.intervals import MINUTE_MS

DEFAULT_URL = "https://data-api.binance.vision"
STREAMS_OF = {
    "https://data-api.binance.vision": "wss://data-stream.binance.vision",
    "https://api.binance.com": "wss://stream.binance.com:9443",
}
"""Binance's public market data hosts: no key, no account."""
PATIENCE_S = 10.0
PAGE = 1000
DEPTH_LIMIT = 1000


class VenueUnreachable(ValueError):
    """The exchange to be mirrored does not answer, or answers something else."""


def streams_for(url: str) -> str:
    """Return the address of the streams that belong to a REST address."""
    known = STREAMS_OF.get(url)
    return known or url.replace("https://", "wss://", 1).replace("http://", "ws://", 1)


class Venue:
    """Blocking calls; each takes at most `PATIENCE_S`.

    Args:
        url: such as ``https://data-api.binance.vision``.

    Raises:
        ValueError: when it is no http or https address.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"--mirror takes an http or https address, was {url!r}")
        self.url = url.rstrip("/")

    def _get(self, name: str, **params: object) -> Any:
        query = urllib.parse.urlencode({k: v for k, v in params.items() if v is not None})
        address = f"{self.url}/api/v3/{name}{'?' if query else ''}{query}"
        try:
            # The scheme was checked above.
            with urllib.request.urlopen(address, timeout=PATIENCE_S) as reply:  # noqa: S310
                return orjson.loads(reply.read())
        except urllib.error.HTTPError as error:
            said = error.read(300).decode(errors="replace")
            raise VenueUnreachable(f"{address} answered {error.code}: {said}") from error
        except (OSError, orjson.JSONDecodeError) as error:
            reason = getattr(error, "reason", None) or error
            raise VenueUnreachable(
                f"cannot mirror {self.url}: {reason}; it needs the internet (or --mirror URL)"
            ) from error

    def time_ms(self) -> int:
        """Return the venue's time in epoch milliseconds."""
        return int(self._get("time")["serverTime"])

    def symbols(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return the exchangeInfo object of each symbol."""
        wanted = orjson.dumps(list(names)).decode()
        info = self._get("exchangeInfo", symbols=wanted)
        return {one["symbol"]: one for one in info["symbols"]}

    def depth(self, grid: Grid) -> FedSnapshot:
        """Return a symbol's book."""
        return read_snapshot(grid, self._get("depth", symbol=grid.symbol, limit=DEPTH_LIMIT))

    def list_candles(self, grid: Grid, start_ms: int, now_ms: int) -> list[FedCandle]:
        """Return the one-minute candles from a time on, ascending, the running one last."""
        return list(self._candles(grid, start_ms, now_ms))

    def _candles(self, grid: Grid, start_ms: int, now_ms: int) -> Iterator[FedCandle]:
        while start_ms <= now_ms:
            page = self._get(
                "klines", symbol=grid.symbol, interval="1m", startTime=start_ms, limit=PAGE
            )
            for row in page:
                amounts = (row[5], row[7], row[9], row[10])
                cells = candle_row(grid, row[1:5], amounts, row[8])
                yield FedCandle(grid.symbol, row[0], cells, is_closed=row[6] < now_ms)
            if len(page) < PAGE:
                return
            start_ms = page[-1][0] + MINUTE_MS


def grid_of(info: dict[str, Any]) -> Grid:
    """Return the grid of an exchangeInfo object.

    Raises:
        ValueError: when it has no price or lot filter.
    """
    sizes = {}
    for entry in info["filters"]:
        for name in ("tickSize", "stepSize"):
            if name in entry and entry["filterType"] in {"PRICE_FILTER", "LOT_SIZE"}:
                exponent = Decimal(entry[name]).normalize().as_tuple().exponent
                sizes[name] = max(0, -int(exponent))
    if len(sizes) < 2:
        raise ValueError(f"{info['symbol']} has no price and lot filters to be mirrored by")
    return Grid(
        symbol=info["symbol"],
        price_decimals=sizes["tickSize"],
        step_decimals=sizes["stepSize"],
        volume_decimals=sizes["stepSize"],
        quote_decimals=min(WIRE_DECIMALS, sizes["tickSize"] + sizes["stepSize"]),
    )


def as_rows(candles: Iterable[FedCandle]) -> tuple[Ints, Ints]:
    """Return open times (n,) and rows (n, 9) of closed candles."""
    closed = [candle for candle in candles if candle.is_closed]
    times = np.array([candle.open_ms for candle in closed], dtype=np.int64)
    return times, np.array([candle.row for candle in closed], dtype=np.int64).reshape(-1, 9)
