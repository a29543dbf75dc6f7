"""The desk's settings for a browser: log-ins of the test, alert channels on this machine."""

from tradingsite.settings.dev import *  # noqa: F403

ALERTS_ALLOW_LOOPBACK = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
