"""Our own code in this process, on the servers of a measurement."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.sample import median


def set_up(folder: Path, **variables: str) -> dict[str, str]:
    """Configure Django for this process, create the schema; return the children's environment."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings.dev",
        "DATA_DIR": str(folder / "data"),
        "ENV_FILE": "",
        "TRADING_MODE": "demo",
        "BINANCE_TESTNET": "true",
        "LOG_LEVEL": "WARNING",
        "SECRET_KEY": "only-for-measurements-" + "m" * 40,
        **variables,
    }
    environment.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
    (folder / "data").mkdir(exist_ok=True)
    os.environ.update(environment)
    import django

    django.setup()
    # The application that tasks of ours are sent by.
    from tradingsite.celery import app

    app.set_current()
    from django.core.management import call_command

    call_command("migrate", verbosity=0, interactive=False)
    return environment


def median_ms(work: Callable[[], Any], *, rounds: int) -> float:
    """Return the median time of `work`, after one call to warm up."""
    work()
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append((time.perf_counter() - begun) * 1000)
    return median(times)


def say(line: str) -> None:
    """Print a progress line."""
    print(f"  {line}", flush=True)
