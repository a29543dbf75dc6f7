"""The settings of a desk, with the bare peers among its addresses."""

from tradingsite.settings.dev import *  # noqa: F403

ROOT_URLCONF = "bench.web.urls"
