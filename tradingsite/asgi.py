"""ASGI entry point: HTTP goes to Django, ``/ws`` to the live consumer."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tradingsite.settings.dev")

http_application = get_asgi_application()

from tradingsite.dashboard.authentication import LiveAuthentication  # noqa: E402 - needs the apps
from tradingsite.dashboard.backpressure import bound_slow_clients  # noqa: E402 - needs the apps
from tradingsite.routing import websocket_urlpatterns  # noqa: E402 - needs the apps

bound_slow_clients()
application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": LiveAuthentication(URLRouter(websocket_urlpatterns)),
    }
)
