"""The engine's face to the outside: commands in, orders back, events out. One call at a time."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from simexchange.clock import SimClock
from simexchange.engine.accounts import Account
from simexchange.engine.decimals import show
from simexchange.engine.ledger import Ledger
from simexchange.engine.lists import Lists, OcoRequest
from simexchange.engine.matching import Matching
from simexchange.engine.orders import Order, OrderList, OrderRequest
from simexchange.engine.placing import Placing
from simexchange.engine.symbols import SymbolRules
from simexchange.engine.transaction import Publish, Record, Transaction
from simexchange.errors import ApiError
from simexchange.market.api import Market, Trade

UNKNOWN_ORDER = "Unknown order sent."


class Canceled(NamedTuple):
    """A cancel's outcome: the orders it ended, and their list when they were one."""

    orders: list[Order]
    group: OrderList | None
    cancel_id: str


def ignore_event(_account: str, _event: dict[str, Any]) -> None:
    """Publish to nobody."""


def ignore_record(_record: dict[str, Any]) -> None:
    """Keep no journal."""


class Exchange:
    """Places, cancels and fills orders; journals each engine event before anyone hears of it.

    Args:
        ledger: its state, empty or read back.
        market: prices and liquidity; the engine follows its tape.
        clock: exchange time.
        record: writes one journal record, durable when it returns.
        publish: hands a user event to the account's listeners.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        market: Market,
        clock: SimClock,
        record: Record = ignore_record,
        publish: Publish = ignore_event,
    ) -> None:
        self.ledger = ledger
        self.market = market
        self.clock = clock
        self.record = record
        self.publish = publish
        self.rules: dict[str, SymbolRules] = {
            symbol: SymbolRules(market.instrument(symbol)) for symbol in market.symbols
        }
        self.matching = Matching(ledger, market, self.rules)
        self.placing = Placing(self.matching)
        self.lists = Lists(self.placing)
        self.market_moved = False
        for account_id in ledger.accounts:
            for order in ledger.open_orders(account_id):
                self.matching.books[order.symbol].add(order)
        market.on_trade(self._on_trade)

    def _begin(self) -> Transaction:
        return Transaction(self.ledger, self.clock.now_ms())

    def _commit(self, tx: Transaction) -> None:
        self.matching.settle_prices(tx)
        self.record(tx.record())
        self.market_moved |= tx.has_fills
        tx.publish(self.publish)

    def _on_trade(self, trade: Trade) -> None:
        if not self.matching.books[trade.symbol]:
            return
        tx = self._begin()
        self.matching.on_tape(tx, trade)
        if tx.has_changes:
            self._commit(tx)

    # --- commands -----------------------------------------------------------------------------

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Place one order.

        Raises:
            ApiError: refused; nothing changed.
        """
        tx = self._begin()
        order = self.placing.place(tx, account, request)
        self._commit(tx)
        return order

    def check(self, account: Account, request: OrderRequest) -> None:
        """Do what order/test does: parameters and filters, not the engine."""
        self.placing.check(account, request, self.clock.now_ms())

    def place_oco(self, account: Account, request: OcoRequest) -> OrderList:
        """Place an OCO list.

        Raises:
            ApiError: refused; nothing changed.
        """
        tx = self._begin()
        group = self.lists.place(tx, account, request)
        self._commit(tx)
        return group

    def find_order(self, account: Account, symbol: str, order_id: int, client_id: str) -> Order:
        """Return the order by id, or the latest by client id.

        Raises:
            ApiError: -2013 when there is none, -2039 when both are given and do not agree.
        """
        if order_id:
            order = self.ledger.orders.get(order_id)
            if order is not None and (order.account, order.symbol) != (account.account_id, symbol):
                order = None
        else:
            order = self.ledger.by_client.get((account.account_id, symbol, client_id))
        if order is None:
            raise ApiError(-2013, "Order does not exist.")
        if order_id and client_id and order.client_order_id != client_id:
            raise ApiError(-2039, "Client order ID is not correct for this order ID.")
        return order

    def cancel(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int = 0,
        client_id: str = "",
        cancel_id: str = "",
        restriction: str = "",
    ) -> Canceled:
        """Cancel one order; a list member takes its list along.

        Raises:
            ApiError: -2011 when there is no such open order or the restriction forbids it.
        """
        try:
            order = self.find_order(account, symbol, order_id, client_id)
        except ApiError as error:
            raise ApiError(-2011, UNKNOWN_ORDER) from error
        if not order.is_open:
            raise ApiError(-2011, UNKNOWN_ORDER)
        wanted = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}.get(restriction)
        if wanted and order.status != wanted:
            raise ApiError(-2011, "Order was not canceled due to cancel restrictions.")
        tx = self._begin()
        done = self._cancel(tx, order, cancel_id or self.ledger.generate_id())
        self._commit(tx)
        return done

    def _cancel(self, tx: Transaction, order: Order, cancel_id: str) -> Canceled:
        group = self.ledger.lists.get(order.list_id)
        if group is not None and group.is_open:
            return Canceled(self.lists.cancel(tx, group, cancel_id), group, cancel_id)
        self.matching.finish(tx, order, "CANCEL", cancel_id=cancel_id)
        return Canceled([order], None, cancel_id)

    def cancel_all(self, account: Account, symbol: str) -> list[Canceled]:
        """Cancel every open order of the symbol in one engine event.

        Raises:
            ApiError: -2011 when there is none.
        """
        held = self.ledger.open_orders(account.account_id, symbol)
        if not held:
            raise ApiError(-2011, UNKNOWN_ORDER)
        tx = self._begin()
        cancel_id = self.ledger.generate_id()
        done = [self._cancel(tx, order, cancel_id) for order in held if order.is_open]
        self._commit(tx)
        return done

    def find_list(self, account: Account, list_id: int | None, client_id: str) -> OrderList | None:
        """Return the account's list by id or client id, if any."""
        if list_id is None:
            return self.lists.find(account, client_id)
        group = self.ledger.lists.get(list_id)
        return group if group is not None and group.account == account.account_id else None

    def cancel_list(
        self, account: Account, list_id: int | None, client_id: str, cancel_id: str = ""
    ) -> Canceled:
        """Cancel an open list.

        Raises:
            ApiError: -2011 when there is no such open list.
        """
        group = self.find_list(account, list_id, client_id)
        if group is None or not group.is_open:
            raise ApiError(-2011, UNKNOWN_ORDER)
        tx = self._begin()
        cancel_id = cancel_id or self.ledger.generate_id()
        orders = self.lists.cancel(tx, group, cancel_id)
        self._commit(tx)
        return Canceled(orders, group, cancel_id)

    # --- the operator's hand ------------------------------------------------------------------

    def add_account(self, account: Account) -> None:
        """Open an account, or give an old one its present key and balances."""
        self.ledger.add_account(account)
        self.record(self.ledger.account_record(account))

    def transfer(self, account: Account, asset: str, quantity: Decimal) -> None:
        """Deposit, or withdraw when negative, from outside.

        Raises:
            ValueError: when more would be withdrawn than is free.
        """
        account.credit(asset, quantity)
        tx = self._begin()
        tx.touched(account, asset)
        tx.tell(
            account.account_id,
            {
                "e": "balanceUpdate",
                "E": tx.now_ms,
                "a": asset,
                "d": show(quantity),
                "T": tx.now_ms,
            },
        )
        self._commit(tx)

    def change_symbol(self, symbol: str, patch: Mapping[str, Any]) -> SymbolRules:
        """Change a symbol's status or filters.

        Raises:
            KeyError: no such symbol.
            ValueError: the change makes no sense.
        """
        rules = self.rules[symbol]
        rules.change(patch)
        self.record(self.symbol_record(rules))
        return rules

    def keep_market(self) -> None:
        """Journal what users and hands did to the market."""
        self.market_moved = False
        self.record({"k": "market", "market": self.market.snapshot()})

    def keep_time(self) -> None:
        """Journal the exchange time, for a clock that stands still while the program is down."""
        self.record({"k": "time", "t": self.clock.now_ms()})

    @staticmethod
    def symbol_record(rules: SymbolRules) -> dict[str, Any]:
        return {
            "k": "symbol",
            "symbol": rules.symbol,
            "status": rules.status,
            "filters": rules.filters,
        }
