"""The market by REST: subscribe, latest ticker, recent candles."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import audit
from core.clock import from_ms, get_clock
from core.drf import StrictSerializer, Symbol
from core.errors import InvalidInput, NotFound
from core.rest.views import check_parameters
from markets.adapters.factory import get_market_data
from markets.domain.timeframe import Timeframe
from markets.selectors import get_rules_by_symbol, list_candles, list_tickers
from markets.services.instruments import subscribe, sync_instruments

TIMEFRAMES = [timeframe.value for timeframe in Timeframe]
_MOST_CANDLES = 1000
_PRICES = ("open", "high", "low", "close", "volume", "quote_volume")


class SubscribeInput(StrictSerializer):
    """Which series to follow."""

    symbol = Symbol()
    timeframe = serializers.ChoiceField(choices=TIMEFRAMES, default=Timeframe.M1.value)


class SubscriptionOutput(serializers.Serializer):
    """A series that is followed."""

    symbol = serializers.CharField()
    timeframe = serializers.CharField()
    is_new = serializers.BooleanField()


class TickerOutput(serializers.Serializer):
    """A last price and its time."""

    symbol = serializers.CharField()
    price = serializers.CharField()
    at = serializers.DateTimeField()


class KlineOutput(serializers.Serializer):
    """One closed candle."""

    open_time = serializers.DateTimeField()
    close_time = serializers.DateTimeField()
    open = serializers.CharField()
    high = serializers.CharField()
    low = serializers.CharField()
    close = serializers.CharField()
    volume = serializers.CharField()
    quote_volume = serializers.CharField(allow_null=True)
    trade_count = serializers.IntegerField(allow_null=True)


class SubscribeView(APIView):
    """``POST /data/subscribe``."""

    @extend_schema(request=SubscribeInput, responses=SubscriptionOutput)
    def post(self, request: Request) -> Response:
        """Have the market stream follow a symbol; takes effect within seconds."""
        data = SubscribeInput(data=request.data)
        data.is_valid(raise_exception=True)
        symbol = data.validated_data["symbol"]
        timeframe = Timeframe(data.validated_data["timeframe"])
        now = get_clock().now()
        is_new = subscribe(instrument_id=_instrument_id(symbol, now), timeframe=timeframe)
        if is_new:
            audit.record(
                actor=request.user.get_username(),
                action="markets.subscribe",
                subject=f"{symbol} {timeframe.value}",
                now=now,
            )
        answer = {"symbol": symbol, "timeframe": timeframe.value, "is_new": is_new}
        return Response(answer, status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


class TickerView(APIView):
    """``GET /data/{symbol}/ticker``."""

    @extend_schema(responses=TickerOutput)
    def get(self, request: Request, symbol: str) -> Response:
        """Return the last price: live if the symbol is streamed, else asked of the exchange."""
        known = get_rules_by_symbol(symbol).symbol
        ticker = list_tickers([known]).get(known) or get_market_data().ticker(known)
        return Response({"symbol": known, "price": str(ticker.price), "at": ticker.at})


class KlinesView(APIView):
    """``GET /data/{symbol}/klines``."""

    @extend_schema(
        parameters=[
            OpenApiParameter("interval", enum=TIMEFRAMES, default=Timeframe.M1.value),
            OpenApiParameter("limit", int, default=500, description="1 to 1000"),
            OpenApiParameter("end", int, description="Only candles closed by then, epoch ms"),
        ],
        responses=KlineOutput(many=True),
    )
    def get(self, request: Request, symbol: str) -> Response:
        """Return the newest stored candles, ascending."""
        check_parameters(request, known=("interval", "limit", "end"))
        rules = get_rules_by_symbol(symbol)
        interval = request.query_params.get("interval", Timeframe.M1.value)
        if interval not in TIMEFRAMES:
            raise InvalidInput(
                f"interval must be one of {', '.join(TIMEFRAMES)}, was {interval[:32]!r}",
                field="interval",
            )
        end_ms = _whole(request, "end", default=None, most=4_102_444_800_000)
        candles = list_candles(
            instrument_id=rules.instrument_id,
            timeframe=Timeframe(interval),
            end=None if end_ms is None else from_ms(end_ms),
            limit=_whole(request, "limit", default=500, most=_MOST_CANDLES) or 1,
        )
        return Response([_kline(candle) for candle in candles])


def _instrument_id(symbol: str, now: Any) -> int:
    try:
        return get_rules_by_symbol(symbol).instrument_id
    except NotFound:
        return sync_instruments(market_data=get_market_data(), symbols=[symbol], now=now)[0]


def _whole(request: Request, name: str, *, default: int | None, most: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and 1 <= int(text) <= most):
        raise InvalidInput(
            f"{name} must be a whole number from 1 to {most}, was {text[:32]!r}", field=name
        )
    return int(text)


def _kline(candle: Any) -> dict[str, Any]:
    row = {"open_time": candle.open_time, "close_time": candle.close_time}
    for name in _PRICES:
        number = getattr(candle, name)
        row[name] = None if number is None else format(number, "f")
    return row | {"trade_count": candle.trades}
