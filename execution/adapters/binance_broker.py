"""The broker on Binance Spot, by python-binance.

Writes are sent once, with the timestamp of their write-ahead record, and answered with a class of
outcome. Reads raise the project's errors.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from binance.exceptions import BinanceAPIException, BinanceRequestException
from requests import exceptions as http

from core.clock import Clock, from_ms, to_ms
from execution.adapters.binance_replies import (
    accepted,
    amended,
    both_halves,
    halves_of,
    lost,
    only_about,
    only_about_both,
    refused,
)
from execution.adapters.binance_reports import order_report, trade
from execution.adapters.wire_check import WireCheckAdapter, WireMismatch
from execution.domain.fill import Execution, OrderReport
from execution.domain.outcome import Outcome, Reaction
from execution.domain.request import (
    AmendRequest,
    CancelRequest,
    ListRequest,
    OrderRequest,
    ReplaceRequest,
    RequestKind,
    digest,
)
from execution.ports import VenueBalance, VenueReply
from markets.adapters.binance_client import VenueClient
from markets.adapters.binance_errors import classify
from markets.adapters.binance_market_data import listing_of
from markets.adapters.rate_budget import BudgetSpent
from markets.domain.filters import Listing

_ORDER_UNKNOWN = -2013
_PAGE = 1000
_DAY = timedelta(hours=24)
_MESSAGE_LENGTH = 200


class BinanceBroker:
    """One account at Binance Spot or at the local exchange. Not for two threads at once.

    Args:
        client: A client of this broker's own.
        clock: The exchange's time; also signs.
    """

    def __init__(self, client: VenueClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._wire = WireCheckAdapter()
        client.session.mount("http://", self._wire)
        client.session.mount("https://", self._wire)
        self._calls: dict[RequestKind, Callable[..., Any]] = {
            RequestKind.ORDER: client.create_order,
            RequestKind.OCO: client.create_oco_order,
            RequestKind.OTOCO: lambda **data: client._post(
                "orderList/otoco", signed=True, data=data
            ),
            RequestKind.REPLACE: client.cancel_replace_order,
            RequestKind.AMEND: lambda **data: client._put(
                "order/amend/keepPriority", signed=True, data=data
            ),
            RequestKind.CANCEL: client.cancel_order,
            RequestKind.CANCEL_LIST: lambda **data: client._delete(
                "orderList", signed=True, data=data
            ),
        }

    # --- writes ----------------------------------------------------------------------------

    def submit(
        self, request: OrderRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        reply = self._write(request.kind, request.parameters(), request_sha256, signed_at)
        return only_about({request.client_order_id}, reply)

    def submit_list(
        self, request: ListRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        reply = self._write(request.kind, request.parameters(), request_sha256, signed_at)
        return only_about(request.names, reply)

    def replace(
        self, request: ReplaceRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        reply = self._send(
            lambda: self._calls[request.kind](**request.parameters()),
            request_sha256,
            signed_at,
            read=both_halves,
        )
        return only_about_both(request, reply)

    def amend(
        self, request: AmendRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        reply = self._send(
            lambda: self._calls[request.kind](**request.parameters()),
            request_sha256,
            signed_at,
            read=amended,
        )
        return only_about({request.client_order_id}, reply)

    def cancel(
        self, request: CancelRequest, *, request_sha256: str, signed_at: datetime
    ) -> VenueReply:
        return self._write(request.kind, request.parameters(), request_sha256, signed_at)

    def cancel_all(self, symbol: str) -> VenueReply:
        parameters = {"symbol": symbol}
        now = self._clock.now()
        return self._send(
            lambda: self._client.cancel_all_open_orders(**parameters), digest(parameters), now
        )

    def _write(
        self, kind: RequestKind, parameters: dict[str, str], sha256: str, signed_at: datetime
    ) -> VenueReply:
        return self._send(lambda: self._calls[kind](**parameters), sha256, signed_at)

    def _send(
        self,
        call: Callable[[], Any],
        sha256: str,
        signed_at: datetime,
        read: Callable[[Any], VenueReply] = accepted,
    ) -> VenueReply:
        signed_ms = to_ms(signed_at)
        self._wire.expect(sha256, signed_ms=signed_ms)
        try:
            # python-binance reads the wall clock; have it sign with the write-ahead record's time.
            with self._client.signing_at(signed_ms):
                return read(call())
        except BinanceAPIException as error:
            return halves_of(error) if read is both_halves else refused(error)
        except WireMismatch as error:
            return VenueReply(
                outcome=Outcome.NOT_SENT, message=str(error), evidence={"error": error.code}
            )
        except BudgetSpent as error:
            return VenueReply(
                outcome=Outcome.NOT_SENT,
                message=error.code,
                reaction=Reaction.BACK_OFF,
                retry_after=timedelta(seconds=error.context["retry_after_s"]),
                evidence={"error": error.code, **error.context},
            )
        except Exception as error:  # whatever went wrong here, the order may exist
            return lost(error)
        finally:
            self._wire.forget()

    def quiet_for(self) -> timedelta:
        return timedelta(seconds=self._client.quiet_s())

    # --- reads -----------------------------------------------------------------------------

    def query(self, symbol: str, client_order_id: str) -> OrderReport | None:
        try:
            view = self._read(
                self._client.get_order, symbol=symbol, origClientOrderId=client_order_id
            )
        except _NotKnown:
            return None
        return order_report(view)

    def open_orders(self, symbol: str | None = None) -> tuple[OrderReport, ...]:
        parameters = {} if symbol is None else {"symbol": symbol}
        return tuple(
            order_report(view) for view in self._read(self._client.get_open_orders, **parameters)
        )

    def all_orders(self, symbol: str, *, since: datetime) -> tuple[OrderReport, ...]:
        found: dict[int, OrderReport] = {}
        for start, end in _days(since, self._clock.now()):
            rows = self._read(
                self._client.get_all_orders,
                symbol=symbol,
                startTime=to_ms(start),
                endTime=to_ms(end),
                limit=_PAGE,
            )
            while rows:
                found.update((int(row["orderId"]), order_report(row)) for row in rows)
                if len(rows) < _PAGE:
                    break
                rows = self._read(
                    self._client.get_all_orders,
                    symbol=symbol,
                    orderId=max(found) + 1,
                    limit=_PAGE,
                )
        return tuple(found[order_id] for order_id in sorted(found))

    def trades(
        self,
        symbol: str,
        *,
        since: datetime | None = None,
        venue_order_id: int | None = None,
        from_id: int | None = None,
    ) -> tuple[Execution, ...]:
        if venue_order_id is not None:
            rows = self._read(
                self._client.get_my_trades, symbol=symbol, orderId=venue_order_id, limit=_PAGE
            )
            return _trades(rows)
        if from_id is not None:
            return _trades(self._trades_from(symbol, from_id))
        if since is None:
            raise ValueError("one of since, venue_order_id and from_id must be given")
        found: list[Any] = []
        for start, end in _days(since, self._clock.now()):
            rows = self._read(
                self._client.get_my_trades,
                symbol=symbol,
                startTime=to_ms(start),
                endTime=to_ms(end),
                limit=_PAGE,
            )
            found += rows
            if len(rows) == _PAGE:
                # More than a page in a day: from here on by id, to the present.
                return _trades(found + self._trades_from(symbol, int(rows[-1]["id"]) + 1))
        return _trades(found)

    def _trades_from(self, symbol: str, from_id: int) -> list[Any]:
        found: list[Any] = []
        while True:
            rows = self._read(
                self._client.get_my_trades, symbol=symbol, fromId=from_id, limit=_PAGE
            )
            found += rows
            if len(rows) < _PAGE:
                return found
            from_id = int(rows[-1]["id"]) + 1

    def balances(self) -> tuple[VenueBalance, ...]:
        account = self._read(self._client.get_account, omitZeroBalances="true")
        balances = (
            VenueBalance(
                asset=row["asset"], free=Decimal(row["free"]), locked=Decimal(row["locked"])
            )
            for row in account["balances"]
        )
        return tuple(balance for balance in balances if balance.total)

    def listing(self, symbol: str) -> Listing:
        info = self._read(self._client.get_exchange_info_of, symbol=symbol)
        return listing_of(info["symbols"][0])

    def server_time(self) -> datetime:
        return from_ms(int(self._read(self._client.get_server_time)["serverTime"]))

    def _read(self, call: Callable[..., Any], **parameters: Any) -> Any:
        try:
            return call(**parameters)
        except BinanceAPIException as error:
            if error.code == _ORDER_UNKNOWN:
                raise _NotKnown from None
            raise classify(error) from None
        except (BinanceRequestException, http.RequestException) as error:
            raise classify(error) from None


class _NotKnown(Exception):
    """The exchange does not know the order, or not yet."""


def _trades(rows: list[Any]) -> tuple[Execution, ...]:
    found = {int(row["id"]): trade(row) for row in rows}
    return tuple(found[trade_id] for trade_id in sorted(found))


def _days(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Cut a period into the 24 hours that the exchange answers at a time, a day's margin ahead.

    The last period ends late: the exchange's clock may be ahead of ours.
    """
    periods = []
    while True:
        until = start + _DAY
        periods.append((start, until))
        if until > end:
            return periods
        start = until
