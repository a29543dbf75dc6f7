"""Reducing an open order in place: it keeps its id and its priority."""

from decimal import Decimal

from simexchange.engine.accounts import Account
from simexchange.engine.decimals import ZERO
from simexchange.engine.filters import AMOUNT_CHECKS, Prices, check_request, fail
from simexchange.engine.lists import Lists
from simexchange.engine.orders import Amendment, Order, OrderList, OrderRequest
from simexchange.engine.permits import check_account
from simexchange.engine.transaction import Transaction
from simexchange.errors import ApiError

REJECTED = -2038


class Amending:
    """Amends quantities."""

    def __init__(self, lists: Lists) -> None:
        self.lists = lists
        self.placing = lists.placing
        self.settling = lists.settling
        self.ledger = lists.ledger

    def amend(
        self, tx: Transaction, account: Account, order: Order, quantity: Decimal, client_id: str
    ) -> Amendment:
        """Reduce the order to `quantity`; both legs of a pair go together.

        Raises:
            ApiError: nothing has changed then.
        """
        group = self.ledger.list_of(order)
        pair = self._together(order, group)
        self._check(account, order, group, quantity, tx.now_ms)
        self._check_id(account, order, client_id)
        before, old_id = order.quantity, order.client_order_id
        for one in pair:
            one.quantity = quantity
            one.shown = min(one.shown, one.remaining)
            tx.changed(one)
        self._fit_locks(tx, account, order, group, pair)
        self.ledger.rename(order, client_id or self.ledger.generate_id())
        order.amends += 1
        execution_id = tx.report(order, "REPLACED", client_id=old_id)
        if group is not None and order.client_order_id != old_id:
            status, group.status_type = group.status_type, "UPDATED"
            tx.list_changed(group)
            group.status_type = status
        amendment = Amendment(
            order_id=order.order_id,
            symbol=order.symbol,
            execution_id=execution_id,
            old_client_id=old_id,
            new_client_id=order.client_order_id,
            old_quantity=before,
            new_quantity=quantity,
            time_ms=tx.now_ms,
        )
        tx.amended(amendment)
        return amendment

    def _together(self, order: Order, group: OrderList | None) -> list[Order]:
        """Return the orders that must have one quantity: itself, or the two legs of a pair."""
        if group is None or order.order_id == group.working_id:
            return [order]
        return [self.ledger.orders[one] for one in group.leg_ids]

    def _check(
        self,
        account: Account,
        order: Order,
        group: OrderList | None,
        quantity: Decimal,
        now_ms: int,
    ) -> None:
        rules = self.placing.rules_of(order.symbol)
        check_account(account, REJECTED)
        if not rules.allows("amendAllowed"):
            raise ApiError(REJECTED, "Order amend is not supported for this symbol.")
        if rules.status != "TRADING":
            raise ApiError(-1013, "Market is closed.")
        if order.is_pending and group is not None and group.pays_legs:
            raise ApiError(REJECTED, "Order amend (pending OPO order) is not supported.")
        if quantity > order.quantity:
            raise ApiError(REJECTED, "Order amend (quantity increase) is not supported.")
        if quantity == order.quantity:
            raise ApiError(REJECTED, "The requested action would change no state; rejecting")
        if quantity <= order.executed + order.prevented:
            raise fail("LOT_SIZE")
        limit = rules.numbers.get("MAX_NUM_ORDER_AMENDS")
        if limit is not None and order.amends >= limit["maxNumOrderAmends"]:
            raise fail("MAX_NUM_ORDER_AMENDS", REJECTED)
        request = OrderRequest(
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            quantity=quantity,
            price=order.price,
            stop_price=order.stop_price,
            iceberg_quantity=min(order.iceberg_quantity, quantity),
        )
        prices: Prices = self.placing.prices(order.symbol, now_ms)
        check_request(rules, request, prices, AMOUNT_CHECKS)

    def _check_id(self, account: Account, order: Order, client_id: str) -> None:
        held = self.ledger.by_client.get((account.account_id, order.symbol, client_id))
        if client_id and held is not None and held is not order and held.is_open:
            raise ApiError(REJECTED, "Duplicate order sent.")

    def _fit_locks(
        self,
        tx: Transaction,
        account: Account,
        order: Order,
        group: OrderList | None,
        pair: list[Order],
    ) -> None:
        """Give back what the amended orders need no longer."""
        if order.is_pending:
            return
        if group is not None and group.locked and len(pair) == 2:
            needed = max(self.settling.lock_needed(one) for one in pair)
            self.lists.lock_list(tx, account, group, needed)
        elif order.locked > ZERO:
            self.settling.lock(tx, order, self.settling.lock_needed(order))
