"""Settings for a desk and for the demo: pages over plain HTTP on this machine."""

from tradingsite.settings.base import *  # noqa: F403
from tradingsite.settings.base import STATIC_ROOT, env

STATIC_ROOT.mkdir(parents=True, exist_ok=True)
SECRET_KEY = env.text("SECRET_KEY", "development-only-" + "x" * 40)
