"""Every environment variable, for ``create_env`` and ``check_env``. A test keeps it complete."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One environment variable.

    Attributes:
        name: Its name.
        about: One line for a person.
        example: What ``.env.example`` shows; usually the default.
        is_secret: Never printed.
        is_generated: ``create_env`` puts a random value into a new ``.env``.
    """

    name: str
    about: str
    example: str = ""
    is_secret: bool = False
    is_generated: bool = False


def _secret(name: str, about: str, *, is_generated: bool = False) -> Variable:
    return Variable(name=name, about=about, is_secret=True, is_generated=is_generated)


def _plain(name: str, example: str, about: str) -> Variable:
    return Variable(name=name, about=about, example=example)


VARIABLES: tuple[Variable, ...] = (
    _plain("TRADING_MODE", "demo", "demo, paper, testnet or live"),
    _plain("BINANCE_TESTNET", "true", "false only together with TRADING_MODE=live"),
    _plain("LIVE_TRADING_CONFIRM", "", "the account's name, to trade real money"),
    _plain("ACCOUNT_NAME", "", "name of the account; by default the mode"),
    _secret("BINANCE_API_KEY", "of the exchange; needed for testnet and live"),
    _secret("BINANCE_API_SECRET", "of the exchange; needed for testnet and live"),
    _plain("KEY_STORE", "env", "where the exchange's keys are: env or file"),
    _secret("MASTER_PASSWORD", "opens the key file when KEY_STORE=file", is_generated=True),
    _secret("SECRET_KEY", "Django's; also seals alert addresses", is_generated=True),
    _secret("API_TOKEN", "first token of the REST API", is_generated=True),
    _secret("DESK_ADMIN_PASSWORD", "of the log-in `admin` that the desk is prepared with"),
    _plain("DATABASE_URL", "", "postgres://user:password@host:5432/name; empty: SQLite"),
    _plain("REDIS_URL", "", "redis://host:6379/0; empty: one of our own"),
    _plain("REDIS_PREFIX", "trading:", "keeps two systems on one server apart"),
    _secret("POSTGRES_PASSWORD", "for docker-compose.yml", is_generated=True),
    _secret("REDIS_PASSWORD", "for docker-compose.yml", is_generated=True),
    _plain("DATA_DIR", "var", "database, logs, models"),
    _plain("PORT", "8000", "of the web server"),
    _plain("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", "names the site answers to"),
    _plain("SECURE_SSL_REDIRECT", "true", "send plain HTTP to HTTPS (testnet and live)"),
    _plain("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    _secret("SENTRY_DSN", "where errors are reported; empty: nowhere"),
    _plain("PIPELINE_WORKERS", "1", "processes of the pipeline"),
    _plain("SIM_PORT", "9443", "of the local exchange (demo, paper)"),
    _plain("SIM_URL", "", "address of the local exchange, when it is not on this machine"),
    _plain("SIM_DATA", "", "candles to replay: a file or a folder; empty: generated"),
    _plain("SIM_SPEED", "0", "market seconds per second; 0: the default"),
    _plain("SIM_MIRROR", "", "whose prices paper mode follows: an https address; empty: Binance"),
    _plain("WEIGHT_LIMIT", "0", "request weight per minute; 0 is what the exchange says"),
    _plain("RECORD_SESSIONS", "false", "keep every raw exchange message, for `replay_session`"),
    _plain("RECORD_LIMIT_MB", "2000", "of all recordings; older ones go, a new one ends there"),
    _plain("TWO_PERSON_REARM", "false", "re-arming needs a second person, not who raised or asked"),
    _plain("CRASHPOINT", "", "for fault tests only; leave it empty"),
    _plain("CLOCK", "", "set by `manage.py trade`; leave it empty"),
    _plain("RECORD_INTO", "", "set by `manage.py trade`; leave it empty"),
    _plain("COMPONENT", "", "name of the process; set by `manage.py trade`; leave it empty"),
    _plain("SENTIMENT_SCRIPT", "", "JSON lines read in place of the news"),
)
