"""OCO lists: two orders on one lock, of which at most one executes."""

from dataclasses import dataclass
from decimal import Decimal

from simexchange.engine.accounts import Account
from simexchange.engine.decimals import ZERO
from simexchange.engine.filters import check_counts
from simexchange.engine.orders import STOP_TYPES, Order, OrderList, OrderRequest
from simexchange.engine.placing import Placing
from simexchange.engine.transaction import Transaction
from simexchange.errors import ApiError

LIMIT_SIDE_TYPES = frozenset({"LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
STOP_SIDE_TYPES = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"})
BAD_PRICES = "The relationship of the prices for the orders is not correct."


@dataclass(slots=True, frozen=True, kw_only=True)
class OcoRequest:
    """An OCO after its parameters were read: the leg above the last price and the one below."""

    symbol: str
    side: str
    above: OrderRequest
    below: OrderRequest
    client_list_id: str = ""
    response: str = "RESULT"


def check_composition(request: OcoRequest) -> tuple[OrderRequest, OrderRequest]:
    """Return (stop leg, limit leg).

    Raises:
        ApiError: when the two types do not make an OCO on this side.
    """
    above, below = request.above, request.below
    allowed = LIMIT_SIDE_TYPES | STOP_SIDE_TYPES
    if above.type not in allowed or below.type not in allowed:
        raise ApiError(-1158, "Order type not supported in OCO.")
    if above.type not in STOP_TYPES and below.type not in STOP_TYPES:
        raise ApiError(-1168, "At least one OCO order must be contingent.")
    stop, limit = (below, above) if request.side == "SELL" else (above, below)
    if limit.type in LIMIT_SIDE_TYPES and stop.type in STOP_SIDE_TYPES:
        return stop, limit
    if request.side == "SELL":
        _refuse_sell(above, below)
    _refuse_buy(above, below)
    raise ApiError(-2010, BAD_PRICES)


def _refuse_sell(above: OrderRequest, below: OrderRequest) -> None:
    if below.type == "LIMIT_MAKER":
        raise ApiError(-1166, "A limit order in a sell OCO must be above.")
    if above.type in STOP_SIDE_TYPES:
        raise ApiError(-1197, "A stop loss order in a sell OCO must be below.")
    raise ApiError(-1199, "A take profit order in a sell OCO must be above.")


def _refuse_buy(above: OrderRequest, below: OrderRequest) -> None:
    if above.type == "LIMIT_MAKER":
        raise ApiError(-1165, "A limit order in a buy OCO must be below.")
    if below.type in STOP_SIDE_TYPES:
        raise ApiError(-1196, "A stop loss order in a buy OCO must be above.")
    raise ApiError(-1198, "A take profit order in a buy OCO must be below.")


def edge(request: OrderRequest) -> Decimal:
    """Return the price at which a leg comes to life."""
    return request.stop_price if request.type in STOP_TYPES else request.price


class Lists:
    """Places and cancels OCO lists."""

    def __init__(self, placing: Placing) -> None:
        self.placing = placing
        self.matching = placing.matching
        self.ledger = placing.ledger

    def place(self, tx: Transaction, account: Account, request: OcoRequest) -> OrderList:
        """Place both legs on one lock.

        Raises:
            ApiError: nothing has changed then.
        """
        stop, limit = check_composition(request)
        self._check(account, request, stop, limit, tx.now_ms)
        legs = [self.placing.build(account, one, tx.now_ms) for one in (stop, limit)]
        locked = max(self.matching.lock_needed(one) for one in legs)
        asset = self.matching.pay_asset(legs[0], request.side)
        account.lock(asset, locked)
        tx.touched(account, asset)
        group = self._enter(tx, account, request, locked)
        for order in legs:
            order.list_id = group.list_id
            self.placing.enter(order)
            group.order_ids.append(order.order_id)
            tx.report(order, "NEW")
            if order.is_working:
                self.matching.rest(order)
            else:
                self.matching.books[order.symbol].add(order)
        return group

    def _check(
        self,
        account: Account,
        request: OcoRequest,
        stop: OrderRequest,
        limit: OrderRequest,
        now_ms: int,
    ) -> None:
        rules = self.placing.check_alone(stop, now_ms)
        self.placing.check_alone(limit, now_ms)
        counts = self.ledger.open_counts(account.account_id, request.symbol)
        algos = sum(1 for one in (stop, limit) if one.type in STOP_TYPES)
        check_counts(rules, counts, orders=2, algos=algos)
        for one in (stop, limit):
            self.placing.check_client_id(account, request.symbol, one.client_order_id)
        if stop.client_order_id and stop.client_order_id == limit.client_order_id:
            raise ApiError(-2010, "Duplicate order sent.")
        if request.client_list_id and self.find(account, request.client_list_id, is_open=True):
            raise ApiError(-2010, "Duplicate order sent.")
        last = self.placing.market.last_price(request.symbol)
        if not edge(request.below) < last < edge(request.above):
            raise ApiError(-2010, BAD_PRICES)
        if limit.type == "LIMIT_MAKER":
            bid, ask = self.placing.market.best(request.symbol)
            if (limit.price <= bid) if request.side == "SELL" else (limit.price >= ask):
                raise ApiError(-2010, "Order would immediately match and take.")

    def _enter(
        self, tx: Transaction, account: Account, request: OcoRequest, locked: Decimal
    ) -> OrderList:
        group = OrderList(
            list_id=self.ledger.next_list_id,
            account=account.account_id,
            symbol=request.symbol,
            client_list_id=request.client_list_id or self.ledger.generate_id(),
            order_ids=[],
            created_ms=tx.now_ms,
            locked=locked,
        )
        self.ledger.next_list_id += 1
        self.ledger.put_list(group)
        tx.list_changed(group)
        return group

    def find(
        self, account: Account, client_list_id: str, *, is_open: bool = False
    ) -> OrderList | None:
        """Return the account's latest list with this client id, if any."""
        group = self.ledger.lists_by_client.get((account.account_id, client_list_id))
        return None if group is None or (is_open and not group.is_open) else group

    def cancel(self, tx: Transaction, group: OrderList, cancel_id: str) -> list[Order]:
        """Cancel both legs and release the lock; return the legs."""
        account = self.ledger.accounts[group.account]
        members = self.ledger.list_members(group)
        asset = self.matching.pay_asset(group, members[0].side)
        account.release(asset, group.locked)
        group.locked = ZERO
        tx.touched(account, asset)
        for order in members:
            if order.is_open:
                self.matching.finish(tx, order, "CANCEL", cancel_id=cancel_id)
        self.matching.close_list(tx, group)
        return members
