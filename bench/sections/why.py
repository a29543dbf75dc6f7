"""How fast it is told why something was decided, with 100,000 decisions stored."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from bench import market, system, website
from bench.sample import median, percentile

_SYMBOLS = 100
_CLOSES = 1000
# One symbol more, whose decisions all lie far back: the newest are of all the others.
_RETIRED = _SYMBOLS
_BAR = timedelta(minutes=5)
_ASKED = 200
_FACTORS = [{"name": f"factor_{number}", "score": 0.25, "weight": 0.1} for number in range(12)]


def measure(folder: Path) -> dict[str, float]:
    """Measure on PostgreSQL where one is installed."""
    return ask(folder, "why", on_postgres=True)


def ask(folder: Path, name: str, *, on_postgres: bool) -> dict[str, float]:
    """Ask over REST, one question after the other, at random moments and of the retired symbol."""
    with website.running_website(folder, on_postgres=on_postgres) as site:
        end = _store()
        chance = random.Random(7)  # noqa: S311 - which moments are asked for
        span_s = _BAR.total_seconds() * _CLOSES
        some = [
            (chance.randrange(_SYMBOLS), end - timedelta(seconds=chance.random() * span_s * 0.9))
            for _ in range(_ASKED)
        ]
        figures = {}
        for what, asked in (("", some), ("_retired", [(_RETIRED, end)] * _ASKED)):
            times = list(_ask_each(site, asked))
            figures[f"{name}{what}_median_ms"] = round(median(times), 2)
            figures[f"{name}{what}_p99_ms"] = round(percentile(times, 99), 2)
    system.say(str(figures))
    return figures


def _ask_each(site: website.Website, asked: list[tuple[int, datetime]]) -> Iterator[float]:
    import http.client

    line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    for number, at in asked:
        query = urlencode({"symbol": f"B{number:03d}USDT", "at": at.isoformat()})
        begun = time.perf_counter()
        line.request("GET", f"/decisions/why?{query}", headers=_headers(site))
        reply = line.getresponse()
        body = reply.read()
        yield (time.perf_counter() - begun) * 1000
        if reply.status != 200:
            raise RuntimeError(f"{reply.status}: {body[:200]!r}")
    line.close()


def _headers(site: website.Website) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.token}"}


def _store() -> datetime:
    """Store a strategy's decisions; return the newest close."""
    from django.db import connection

    from execution.models import Decision, Strategy
    from execution.services.accounts import open_account

    now = datetime.now(UTC)
    account = open_account(name="bench", mode="demo", quote_asset="USDT", now=now)
    strategy = Strategy.objects.create(name="bench", account=account)
    ids = market.make_instruments(_SYMBOLS + 1)
    first = now - _BAR * _CLOSES
    Decision.objects.bulk_create(
        (
            Decision(
                strategy=strategy,
                instrument_id=key,
                timeframe="5m",
                close_time=first + _BAR * bar,
                action="HOLD",
                reason="NO_SKILL",
                price=50_000,
                factors=_FACTORS,
                created_at=first + _BAR * bar,
            )
            for bar in range(_CLOSES)
            for number, key in enumerate(ids)
            if number != _RETIRED or bar < _CLOSES // 100
        ),
        batch_size=2000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return first + _BAR * (_CLOSES - 1)
