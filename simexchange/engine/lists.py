"""Order lists: OCO, OTO and OTOCO, and OPO and OPOCO whose working order pays the legs."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from simexchange.engine.accounts import Account
from simexchange.engine.composition import check_legs, check_pays
from simexchange.engine.decimals import ZERO, floor_to
from simexchange.engine.filters import AMOUNT_CHECKS
from simexchange.engine.orders import STOP_TYPES, Order, OrderList, OrderRequest
from simexchange.engine.permits import check_list_permits
from simexchange.engine.placing import Placing
from simexchange.engine.transaction import Transaction
from simexchange.errors import ApiError

BAD_PRICES = "The relationship of the prices for the orders is not correct."


@dataclass(slots=True, frozen=True, kw_only=True)
class ListRequest:
    """A list after its parameters were read.

    `above` is the only leg of an OTO or OPO, else the leg above the last price, `below` the other.
    Without a `working` order it is an OCO.
    """

    symbol: str
    above: OrderRequest
    below: OrderRequest | None = None
    working: OrderRequest | None = None
    pays_legs: bool = False
    client_list_id: str = ""
    response: str = "RESULT"

    @property
    def requests(self) -> tuple[OrderRequest, ...]:
        """The orders by the ids they get: the working order, the stop, the limit."""
        legs: Sequence[OrderRequest] = (self.above,)
        if self.below is not None:
            legs = check_legs(self.above, self.below)
        return (*legs,) if self.working is None else (self.working, *legs)


def edge(order: OrderRequest | Order) -> Decimal:
    """Return the price at which a leg comes to life; zero for a trailing stop without a stop."""
    return order.stop_price if order.type in STOP_TYPES else order.price


class Lists:
    """Places, activates and cancels order lists."""

    def __init__(self, placing: Placing) -> None:
        self.placing = placing
        self.matching = placing.matching
        self.settling = placing.matching.settling
        self.ledger = placing.ledger

    def check(self, account: Account, request: ListRequest, now_ms: int) -> None:
        """Pass a list through composition, permissions, filters, counts and ids.

        Raises:
            ApiError: with the first rule that fails.
        """
        rules = self.placing.rules_of(request.symbol)
        if request.below is not None:
            check_list_permits(rules, "ocoAllowed")
        if request.working is not None:
            check_list_permits(rules, "otoAllowed")
        if request.pays_legs:
            check_list_permits(rules, "opoAllowed")
        requests = request.requests
        check_pays(request.working, requests[1:], pays_legs=request.pays_legs)
        self.placing.check(account, requests, now_ms)
        self.placing.check_client_ids(account, requests)
        if request.client_list_id and self.ledger.find_list(
            account, request.client_list_id, is_open=True
        ):
            raise ApiError(-2010, "Duplicate order sent.")

    def place(self, tx: Transaction, account: Account, request: ListRequest) -> OrderList:
        """Place an OCO's legs, or a working order whose legs wait.

        Raises:
            ApiError: nothing has changed then.
        """
        self.check(account, request, tx.now_ms)
        orders = [self.placing.build(account, one, tx.now_ms) for one in request.requests]
        if request.working is None:
            self._check_pair(orders)
            needed = self._pair_lock(orders, tx.now_ms)
            account.require(self.settling.pay_asset(request.symbol, orders[0].side), needed)
            group = self._enter(tx, account, request, orders)
            self.lock_list(tx, account, group, needed)
            self._start_pair(tx, orders)
            return group
        prepared = self.placing.prepare(account, orders[0], tx.now_ms)
        group = self._enter(tx, account, request, orders)
        self.placing.announce(tx, prepared)
        for leg in orders[1:]:
            tx.report(leg, "NEW")
        self.placing.work(tx, prepared)
        return group

    def _enter(
        self, tx: Transaction, account: Account, request: ListRequest, orders: list[Order]
    ) -> OrderList:
        """Give the list and its orders their ids and places in the ledger."""
        has_working = request.working is not None
        group = OrderList(
            list_id=self.ledger.next_list_id,
            account=account.account_id,
            symbol=request.symbol,
            client_list_id=request.client_list_id or self.ledger.generate_id(),
            order_ids=[],
            created_ms=tx.now_ms,
            contingency="OTO" if has_working else "OCO",
            pays_legs=request.pays_legs,
            legs_placed=not has_working,
        )
        self.ledger.next_list_id += 1
        for order in orders:
            order.list_id = group.list_id
            if has_working and order is not orders[0]:
                order.status, order.working_ms = "PENDING_NEW", -1
            self.placing.enter(order)
            group.order_ids.append(order.order_id)
        if has_working:
            group.working_id = orders[0].order_id
        self.ledger.put_list(group)
        tx.list_changed(group)
        return group

    # --- a pair of legs on one lock -----------------------------------------------------------

    def _check_pair(self, legs: Sequence[Order]) -> None:
        """Refuse legs whose prices do not lie on their sides of the last price, or that take.

        Raises:
            ApiError: -2010.
        """
        stop, limit = legs
        last = self.placing.market.last_price(stop.symbol)
        is_sell = stop.side == "SELL"
        for leg, is_above in ((stop, not is_sell), (limit, is_sell)):
            at = edge(leg)
            if at and not ((at > last) if is_above else (at < last)):
                raise ApiError(-2010, BAD_PRICES)
        if limit.type == "LIMIT_MAKER" and self.matching.plan(limit).steps:
            raise ApiError(-2010, "Order would immediately match and take.")

    def _pair_lock(self, legs: Sequence[Order], now_ms: int) -> Decimal:
        for leg in legs:
            self.placing.ready(leg, now_ms)
        return max(self.settling.lock_needed(leg) for leg in legs)

    def lock_list(
        self, tx: Transaction, account: Account, group: OrderList, quantity: Decimal
    ) -> None:
        """Make the list hold exactly `quantity`."""
        asset = self.settling.leg_asset(group)
        if quantity >= group.locked:
            account.lock(asset, quantity - group.locked)
        else:
            account.release(asset, group.locked - quantity)
        group.locked = quantity
        tx.touched(account, asset)
        tx.list_held(group)

    def _start_pair(self, tx: Transaction, legs: Sequence[Order]) -> None:
        for leg in legs:
            tx.report(leg, "NEW")
            if leg.waits_for_stop:
                leg.turn = self.ledger.take_turn()
                self.matching.books[leg.symbol].add(leg)
            else:
                self.matching.rest(leg)

    # --- the working order is filled ----------------------------------------------------------

    def activate(self, tx: Transaction, group: OrderList) -> None:
        """Place the legs of a list whose working order is filled; refused ones expire."""
        if not group.is_open:
            return
        legs = [one for one in self.ledger.list_members(group) if one.is_pending]
        try:
            self._fit_quantities(group, legs, tx.now_ms)
            self._place_legs(tx, group, legs)
        except ApiError:
            self.matching.end_list(tx, group, reason="REJECTED")

    def _fit_quantities(self, group: OrderList, legs: list[Order], now_ms: int) -> None:
        """Give legs that are paid by the working order what it received, cut to the lot.

        Raises:
            ApiError: when that is no legal quantity.
        """
        if not group.pays_legs:
            return
        rules = self.placing.rules_of(group.symbol)
        account = self.ledger.accounts[group.account]
        quantity = floor_to(group.locked, rules.market_step)
        for leg in legs:
            request = OrderRequest(
                symbol=leg.symbol,
                side=leg.side,
                type=leg.type,
                time_in_force=leg.time_in_force,
                quantity=quantity,
                price=leg.price,
                stop_price=leg.stop_price,
                trailing_delta=leg.trailing_delta,
                iceberg_quantity=leg.iceberg_quantity,
                stp_mode=leg.stp_mode,
            )
            if not quantity:
                raise ApiError(-1013, "Filter failure: LOT_SIZE")
            self.placing.check_alone(account, request, now_ms, AMOUNT_CHECKS)
        for leg in legs:
            leg.quantity = quantity

    def _place_legs(self, tx: Transaction, group: OrderList, legs: list[Order]) -> None:
        account = self.ledger.accounts[group.account]
        if len(legs) == 2:
            self._check_pair(legs)
            needed = self._pair_lock(legs, tx.now_ms)
            account.require(self.settling.leg_asset(group), needed - group.locked)
            self._activate_orders(group, legs, tx)
            self.lock_list(tx, account, group, needed)
            self._start_pair(tx, legs)
            return
        (leg,) = legs
        leg.locked, group.locked = group.locked, ZERO
        try:
            prepared = self.placing.prepare(account, leg, tx.now_ms)
        except ApiError:
            leg.locked, group.locked = ZERO, leg.locked
            raise
        self._activate_orders(group, legs, tx)
        self.settling.lock(tx, leg, prepared.lock)
        self.placing.start(tx, prepared)

    def _activate_orders(self, group: OrderList, legs: Sequence[Order], tx: Transaction) -> None:
        group.legs_placed = True
        tx.list_held(group)
        for leg in legs:
            leg.move("ACTIVATE")
            if leg.type not in STOP_TYPES:
                leg.working_ms = tx.now_ms

    # --- ending -------------------------------------------------------------------------------

    def cancel(self, tx: Transaction, group: OrderList, cancel_id: str) -> list[Order]:
        """Cancel what is open of a list and release its lock; return the orders it ended."""
        group.order_status = "ALL_DONE"
        ended = [one for one in self.ledger.list_members(group) if one.is_open]
        for order in ended:
            self.matching.finish(tx, order, "CANCEL", cancel_id=cancel_id)
        self.matching.close_list(tx, group)
        return ended
