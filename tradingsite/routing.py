"""WebSocket addresses."""

from django.urls import path

from tradingsite.dashboard.consumers import LiveConsumer

websocket_urlpatterns = [path("ws", LiveConsumer.as_asgi())]
