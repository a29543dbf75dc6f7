"""Settings for the test suite: a throw-away SQLite file unless DATABASE_URL names a server."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_SCRATCH = Path(tempfile.mkdtemp(prefix="trading-test-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
os.environ["DATA_DIR"] = str(_SCRATCH)
# A developer's .env, broker or keys must never reach a test; DATABASE_URL may be given.
os.environ["ENV_FILE"] = ""
os.environ["REDIS_URL"] = "redis://127.0.0.1:1/0"  # nobody there; tests/conftest.py starts one
os.environ["TRADING_MODE"] = "demo"
os.environ["BINANCE_TESTNET"] = "true"

from tradingsite.settings.base import *  # noqa: E402, F403
from tradingsite.settings.base import DATABASES  # noqa: E402

SECRET_KEY = "only-for-tests-" + "t" * 40
# Static files are found as they are asked for: nothing is collected for a test.
WHITENOISE_AUTOREFRESH = True
ALERTS_ALLOW_LOOPBACK = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATABASES["default"].setdefault("TEST", {})
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # In-memory databases are not shared between the processes that the tests start.
    DATABASES["default"]["TEST"]["NAME"] = str(_SCRATCH / "test.sqlite3")
