"""Our list of trades and DRF's default way, on one server, with the same rows, in turns."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from bench import load, market, system, website
from bench.load import Load
from bench.sample import percentile

_ROWS = 10_000
_SYMBOLS = 100
_PAGE = 50
_CONNECTIONS = 16
# Many short turns: a neighbour of this machine then disturbs both alike.
TURNS = 8
_TURN_S = 1.2
# Our list, and the default one beside it.
PATHS = {"api": f"/trades?limit={_PAGE}", "api_default": f"/peer/trades?limit={_PAGE}"}


def measure(folder: Path) -> dict[str, float]:
    """Ask for the newest 50 of 10,000 trades with a bearer token at 16 connections."""
    with ExitStack() as stack:
        site = stack.enter_context(website.running_website(folder))
        store_trades()
        totals = {name: Total() for name in PATHS}
        for turn in range(-1, TURNS):
            for name, path in PATHS.items():
                before = site.cpu_s()
                found = run(site, path)
                if turn >= 0:
                    totals[name].add(found, cpu_s=site.cpu_s() - before)
            system.say(
                f"turn {turn + 1}/{TURNS}  {totals['api']}  default: {totals['api_default']}"
            )
    return {
        f"{name}_list50_{measure}": value
        for name, total in totals.items()
        for measure, value in total.figures().items()
    }


class Total:
    """All turns of one address."""

    def __init__(self) -> None:
        self._latencies_ms: list[float] = []
        self._seconds = 0.0
        self._cpu_s = 0.0
        self._errors = 0

    def add(self, run: Load, *, cpu_s: float) -> None:
        """Count one turn."""
        self._latencies_ms += run.latencies_ms
        self._seconds += run.seconds
        self._cpu_s += cpu_s
        self._errors += run.errors

    def figures(self) -> dict[str, float]:
        """Return requests per second, latencies, the server's work per request, and failures."""
        count = len(self._latencies_ms)
        return {
            "rps": round(count / self._seconds, 1),
            "p50_ms": round(percentile(self._latencies_ms, 50), 1),
            "p99_ms": round(percentile(self._latencies_ms, 99), 1),
            "cpu_ms": round(self._cpu_s / count * 1000, 2),
            "errors": self._errors,
        }

    def __str__(self) -> str:
        return f"{self.figures()['rps']:.0f}/s" if self._seconds else "warm"


def run(site: website.Website, path: str) -> Load:
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.token}\r\n\r\n"
    ).encode()
    return load.run_closed(
        lambda: request, port=site.port, connections=_CONNECTIONS, seconds=_TURN_S
    )


def store_trades() -> None:
    from execution.models import Fill, Order

    now = datetime.now(UTC)
    account_id = _make_account(now)
    ids = market.make_instruments(_SYMBOLS)
    common = {"account_id": account_id, "side": "BUY", "quantity": Decimal("0.015")}
    orders = Order.objects.bulk_create(
        [
            Order(
                instrument_id=key,
                leg="ENTRY",
                client_order_id=f"bench-{key}",
                type="MARKET",
                state="FILLED",
                expires_at=now,
                created_at=now,
                updated_at=now,
                **common,
            )
            for key in ids
        ]
    )
    Fill.objects.bulk_create(
        [
            Fill(
                order=orders[number % _SYMBOLS],
                instrument_id=ids[number % _SYMBOLS],
                symbol=f"B{number % _SYMBOLS:03d}USDT",
                price=Decimal("43123.12345678"),
                quote_quantity=Decimal("646.8468518517"),
                fee=Decimal("0.000015"),
                fee_asset="BTC",
                realized_pnl=Decimal("1.234567"),
                is_maker=False,
                venue_trade_id=number,
                timestamp=now - timedelta(seconds=_ROWS - number),
                **common,
            )
            for number in range(_ROWS)
        ],
        batch_size=500,
    )
    _refresh_statistics()


def _make_account(now: datetime) -> int:
    from execution.services.accounts import open_account

    return int(open_account(name="bench", mode="demo", quote_asset="USDT", now=now).pk)


def _refresh_statistics() -> None:
    """Let the planner know the table, as an hour of running would."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trades")
