"""Compile what the processes import, by importing it once, on two cores.

Compiling all of site-packages takes 16 s on two cores and most of it is never imported; starting
uncompiled costs every process two to four times its start-up. A module missing here only starts a
little slower the first time.
"""

import compileall
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUR_PACKAGES = (
    "alerts",
    "core",
    "execution",
    "markets",
    "mlmodels",
    "risk",
    "sentiment",
    "simexchange",
    "tradingsite",
)
WEB = """
django.contrib.admin django.core.management django.db.backends.sqlite3.base
django.db.migrations.executor rest_framework.views drf_spectacular.views django_filters unfold
simple_history channels.layers channels_redis.pubsub daphne.server twisted.internet.asyncioreactor
celery.bin.celery celery.worker celery.concurrency.solo celery.concurrency.prefork
kombu.transport.redis
django_celery_beat.schedulers redis.asyncio structlog django_structlog whitenoise.middleware
"""
NUMBERS = """
numpy pandas sklearn.linear_model sklearn.isotonic sklearn.metrics xgboost binance requests
cryptography.hazmat.primitives.ciphers.aead starlette.applications uvicorn.main httptools uvloop
orjson apprise feedparser vaderSentiment.vaderSentiment sentry_sdk prometheus_client boto3
"""
# Apps bring their models, and those need some settings.
PROGRAM = """
import importlib, sys
import django
from django.conf import settings

settings.configure(USE_TZ=True, INSTALLED_APPS=[
    "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.admin",
    "django.contrib.messages", "django.contrib.sessions", "rest_framework", "django_filters",
    "drf_spectacular", "channels", "simple_history", "django_celery_beat",
])
django.setup()
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def main() -> None:
    """Import both halves at once, then compile our own packages."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    halves = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, *names.split()],
            env=environment,
            cwd=ROOT,
        )
        for names in (WEB, NUMBERS)
    ]
    statuses = [half.wait() for half in halves]
    if any(statuses):
        print("warm_bytecode: not all was compiled (above is why); it only starts slower once")
    for package in OUR_PACKAGES:
        compileall.compile_dir(ROOT / package, quiet=2)


if __name__ == "__main__":
    main()
