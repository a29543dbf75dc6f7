"""What our live consumer and our lists are compared with: Channels and DRF as they come."""

from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer
from rest_framework.generics import ListAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import ModelSerializer

from execution.models import Fill

BARE_GROUP = "bare"


class BareConsumer(AsyncWebsocketConsumer):
    """Passes the group's texts on: no log-in, no data, no choice, no numbers."""

    groups = [BARE_GROUP]

    async def connect(self) -> None:
        """Greet as ours does, with nothing."""
        await self.accept()
        await self.send('{"type": "snapshot"}')

    async def bare_message(self, event: dict[str, Any]) -> None:
        """Send the text of a group message."""
        await self.send(event["text"])


class _TradeSerializer(ModelSerializer):
    class Meta:
        model = Fill
        fields = [
            *("order", "id", "symbol", "side", "price", "quantity", "quote_quantity", "fee"),
            *("fee_asset", "realized_pnl", "is_maker", "venue_trade_id", "timestamp"),
        ]


class DefaultTradesView(ListAPIView):
    """The same rows and columns as ``/trades``, newest first, with the same log-in."""

    queryset = Fill.objects.order_by("-timestamp", "-id")
    serializer_class = _TradeSerializer
    pagination_class = LimitOffsetPagination
    renderer_classes = [JSONRenderer]
    filter_backends: list[Any] = []
