"""ASGI entry point: HTTP goes to Django, ``/ws`` to the live consumer."""

import os

import django
from channels.routing import ProtocolTypeRouter, URLRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings.dev")
django.setup(set_prefix=False)

from tradingsite.dashboard.authentication import LiveAuthentication  # noqa: E402 - needs the apps
from tradingsite.dashboard.backpressure import bound_slow_clients  # noqa: E402 - needs the apps
from tradingsite.http import PooledHandler  # noqa: E402 - needs the apps
from tradingsite.routing import websocket_urlpatterns  # noqa: E402 - needs the apps

bound_slow_clients()
application = ProtocolTypeRouter(
    {
        "http": PooledHandler(),
        "websocket": LiveAuthentication(URLRouter(websocket_urlpatterns)),
    }
)
