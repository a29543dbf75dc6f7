"""Settings shared by every environment. Values come from ``env.py``; see ``.env.example``."""

from datetime import timedelta

import environ
from django.core.exceptions import ImproperlyConfigured

from core.logging import build_logging
from tradingsite.settings import env
from tradingsite.settings.admin import admin_look
from tradingsite.settings.schedule import beat_schedule

env.load_dotenv()

BASE_DIR = env.ROOT
DATA_DIR = env.folder("DATA_DIR", "var")
PORT = env.integer("PORT", 8000, minimum=1, maximum=65535)
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
LOG_FILE = DATA_DIR / "trading_system.log"
LOGGING = build_logging(level=LOG_LEVEL, file=LOG_FILE)
# Where a process shall end itself, see core/crashpoints.py; only on the local exchange.
CRASHPOINT = env.text("CRASHPOINT", "")
# What this process is called in logs and among the components' health.
COMPONENT = env.text("COMPONENT", "")
SENTRY_DSN = env.text("SENTRY_DSN", "")

# --- what is traded, and where -------------------------------------------------------------
TRADING_MODE = env.TradingMode(
    env.choice("TRADING_MODE", "demo", tuple(mode.value for mode in env.TradingMode))
)
BINANCE_TESTNET = env.flag("BINANCE_TESTNET", default=True)
LIVE_TRADING_CONFIRM = env.text("LIVE_TRADING_CONFIRM", "")
# Address of the local exchange (demo and paper); the others use Binance's own addresses.
SIM_PORT = env.integer("SIM_PORT", 9443, minimum=1, maximum=65535)
SIM_URL = env.text("SIM_URL", f"http://127.0.0.1:{SIM_PORT}")
# Real candles for the local exchange (a file or a folder), and its speed; empty: the defaults.
SIM_DATA = env.text("SIM_DATA", "")
SIM_SPEED = env.integer("SIM_SPEED", 0, minimum=0, maximum=1000)
# The exchange whose public prices paper mode follows; empty: Binance.
SIM_MIRROR = env.text("SIM_MIRROR", "")
# The clock shared with the local exchange, see core/clock.py; empty is the wall clock.
CLOCK = env.text("CLOCK", "")
# Request weight per minute that the exchange allows one address; all processes share it.
WEIGHT_LIMIT = env.integer("WEIGHT_LIMIT", 0, minimum=0, maximum=10_000_000)
RECORD_SESSIONS = env.flag("RECORD_SESSIONS", default=False)
RECORD_LIMIT_MB = env.integer("RECORD_LIMIT_MB", 2000, minimum=10, maximum=1_000_000)
# Where the session of this desk is recorded: handed down by `trade`.
RECORD_INTO = env.text("RECORD_INTO", "")
TWO_PERSON_REARM = env.flag("TWO_PERSON_REARM", default=False)
KEY_STORE = env.choice("KEY_STORE", "env", ("env", "file"))
KEY_FILE = DATA_DIR / "keys.json"
MASTER_PASSWORD = env.text("MASTER_PASSWORD", "")
API_TOKEN = env.text("API_TOKEN", "")
# Alerts leave this machine by https only; tests deliver to servers of their own.
ALERTS_ALLOW_LOOPBACK = False
# Password of the first log-in; the supervisor of a demo generates it.
DESK_ADMIN_PASSWORD = env.text("DESK_ADMIN_PASSWORD", "")
ACCOUNT_NAME = env.text("ACCOUNT_NAME", TRADING_MODE.value)
MODEL_DIR = DATA_DIR / "models"
SENTIMENT_SCRIPT = env.text("SENTIMENT_SCRIPT", "")

if TRADING_MODE is env.TradingMode.LIVE and BINANCE_TESTNET:
    raise ImproperlyConfigured("TRADING_MODE=live needs BINANCE_TESTNET=false.")
if TRADING_MODE is not env.TradingMode.LIVE and not BINANCE_TESTNET:
    raise ImproperlyConfigured("BINANCE_TESTNET=false needs TRADING_MODE=live.")

# --- Django --------------------------------------------------------------------------------
DEBUG = False
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
ROOT_URLCONF = "tradingsite.urls"
WSGI_APPLICATION = "tradingsite.wsgi.application"
ASGI_APPLICATION = "tradingsite.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = ["tradingsite.formats"]

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.simple_history",
    # Without autodiscovery: only the web process, through urls.py, needs the admin's pages.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "simple_history",
    "django_celery_beat",
    "core",
    "alerts",
    "markets",
    "sentiment",
    "mlmodels",
    "risk",
    "execution",
    "tradingsite",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
UNFOLD = admin_look(mode=TRADING_MODE.value)
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "/admin/login/"
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The server finds every app's files by itself; nothing has to be collected first.
WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# --- database ------------------------------------------------------------------------------
# SQLite needs WAL and IMMEDIATE transactions: with its defaults 29 % of concurrent writes fail.
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}
DATABASE_URL = env.text("DATABASE_URL", f"sqlite:///{DATA_DIR / 'trading.sqlite3'}")
DATABASES = {"default": environ.Env.db_url_config(DATABASE_URL)}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# A connection lives as long as it works. Every thread that uses the database is one that stays:
# the workers', and those of tradingsite/http.py.
DATABASES["default"].setdefault("CONN_MAX_AGE", None)

# --- broker and live pushes ----------------------------------------------------------------
CHOSEN_REDIS_URL = env.text("REDIS_URL", "")
REDIS_URL = CHOSEN_REDIS_URL or "redis://127.0.0.1:6379/0"
# Keeps two systems on one Redis server apart.
REDIS_PREFIX = env.text("REDIS_PREFIX", "trading:")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # redis-py 8 sets a read time-out of 5 s that would end idle subscriptions.
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None}],
            "prefix": f"{REDIS_PREFIX}ws",
        },
    },
}

# --- pipeline ------------------------------------------------------------------------------
PIPELINE_WORKERS = env.integer("PIPELINE_WORKERS", 1, minimum=1, maximum=64)
BEAT_SCHEDULE = beat_schedule(clock=CLOCK)

# --- REST ----------------------------------------------------------------------------------
API_TOKEN_LIFETIME = timedelta(days=365)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "core.drf.BearerTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.drf.StrictJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["core.drf.FilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "core.drf.TimeCursorPagination",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "core.drf.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Trading system",
    "DESCRIPTION": "Everything the system knows and does, by REST.",
    "VERSION": "0.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
