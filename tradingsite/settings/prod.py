"""Settings for testnet and live: secrets must be given, pages only over HTTPS."""

from tradingsite.settings.base import *  # noqa: F403
from tradingsite.settings.base import STATIC_ROOT, env

STATIC_ROOT.mkdir(parents=True, exist_ok=True)

SECRET_KEY = env.text("SECRET_KEY")
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
