"""The engine's face to the outside: commands in, orders back, events out. One call at a time."""

from collections.abc import Callable, Mapping
from copy import copy
from decimal import Decimal
from typing import Any, NamedTuple

from simexchange.clock import SimClock
from simexchange.engine import saving
from simexchange.engine.accounts import Account
from simexchange.engine.amending import Amending
from simexchange.engine.decimals import show
from simexchange.engine.finding import (
    UNKNOWN_ORDER,
    check_restriction,
    find_list,
    find_open_order,
)
from simexchange.engine.ledger import Ledger
from simexchange.engine.lists import ListRequest, Lists
from simexchange.engine.matching import Matching
from simexchange.engine.orders import Amendment, Order, OrderList, OrderRequest
from simexchange.engine.permits import check_account
from simexchange.engine.placing import Placing
from simexchange.engine.symbols import ExchangeRules, SymbolRules
from simexchange.engine.tape import Tape
from simexchange.engine.transaction import Publish, Record, Transaction
from simexchange.errors import ApiError
from simexchange.market.api import Market, Quote, Trade


class Canceled(NamedTuple):
    """A cancel's outcome: the orders it ended, and their list when they were one."""

    orders: list[Order]
    group: OrderList | None
    cancel_id: str


class Listed(NamedTuple):
    """A list as it stood when it was placed, before legs that its fill sets off were."""

    group: OrderList
    orders: list[Order]


def ignore_event(_account: str, _event: dict[str, Any]) -> None:
    """Publish to nobody."""


def ignore_record(_record: dict[str, Any]) -> None:
    """Keep no journal."""


def ignore_fill(_account: str, _is_maker: bool) -> None:  # noqa: FBT001 (a callback's shape)
    """Tell nobody of an order's first fill."""


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
        self.on_first_fill: Callable[[str, bool], None] = ignore_fill
        self.rules: dict[str, SymbolRules] = {
            symbol: SymbolRules(market.instrument(symbol)) for symbol in market.symbols
        }
        self.exchange_rules = ExchangeRules()
        self.matching = Matching(ledger, market, self.rules)
        self.tape = Tape(self.matching)
        self.placing = Placing(self.matching, self.exchange_rules)
        self.lists = Lists(self.placing)
        self.amending = Amending(self.lists)
        self.market_moved = False
        self._enter_open()
        market.on_trade(self._on_trade)
        market.on_quote(self._on_quote)

    def _enter_open(self) -> None:
        """Put the open orders of a ledger that was read back where they waited."""
        waiting = [
            order
            for account_id in self.ledger.accounts
            for order in self.ledger.open_orders(account_id)
            if not order.is_pending
        ]
        for order in sorted(waiting, key=lambda one: one.turn):
            self.matching.books[order.symbol].add(order)
        for group in self.ledger.lists.values():
            if group.is_open and not group.legs_placed:
                working = self.ledger.orders[group.working_id]
                if working.status == "FILLED":
                    self.matching.filled_workings.append(group)
        self._activate_lists()

    def _begin(self) -> Transaction:
        return Transaction(self.ledger, self.clock.now_ms())

    def _command(self) -> Transaction:
        """Begin a user's event: the market is brought to the present before it is met."""
        self.market.catch_up()
        return self._begin()

    def _commit(self, tx: Transaction) -> None:
        if self.matching.prices:
            self.tape.settle(tx)
        if self.record is not ignore_record:
            self.record(tx.record())
        self.market_moved |= tx.has_fills
        for account_id, is_maker in tx.first_fills:
            self.on_first_fill(account_id, is_maker)
        tx.publish(self.publish)

    def _activate_lists(self) -> None:
        """Place the legs of lists whose working orders were filled, each in its own event."""
        waiting = self.matching.filled_workings
        while waiting:
            tx = self._begin()
            self.lists.activate(tx, waiting.popleft())
            if tx.has_changes:
                self._commit(tx)

    def _on_trade(self, trade: Trade) -> None:
        if not self.matching.books[trade.symbol]:
            return
        tx = self._begin()
        self.tape.follow(tx, trade)
        if tx.has_changes:
            self._commit(tx)
            self._activate_lists()

    def _on_quote(self, quote: Quote) -> Decimal:
        tx = self._begin()
        taken = self.tape.meet(tx, quote)
        if tx.has_changes:
            self._commit(tx)
            self._activate_lists()
        return taken

    # --- placing and amending -----------------------------------------------------------------

    def place(self, account: Account, request: OrderRequest) -> Order:
        """Place one order.

        Raises:
            ApiError: refused; nothing changed.
        """
        tx = self._command()
        order = self.placing.place(tx, account, request)
        self._commit(tx)
        if self.matching.filled_workings:
            order = copy(order)
            order.fills = list(order.fills)
            self._activate_lists()
        return order

    def check(self, account: Account, request: OrderRequest) -> None:
        """Do what order/test does: parameters and filters, not the engine."""
        self.placing.check(account, (request,), self.clock.now_ms())

    def place_list(self, account: Account, request: ListRequest) -> Listed:
        """Place an order list.

        Raises:
            ApiError: refused; nothing changed.
        """
        tx = self._command()
        group = self.lists.place(tx, account, request)
        self._commit(tx)
        placed = Listed(copy(group), [copy(one) for one in self.ledger.list_members(group)])
        for one in placed.orders:
            one.fills = list(one.fills)
        self._activate_lists()
        return placed

    def amend(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int,
        client_id: str,
        quantity: Decimal,
        new_client_id: str = "",
    ) -> tuple[Order, Amendment]:
        """Reduce an open order's quantity; it keeps its priority.

        Raises:
            ApiError: -2038 and the filters' codes; nothing changed.
        """
        tx = self._command()
        order = find_open_order(self.ledger, account, symbol, order_id, client_id, -2038)
        amendment = self.amending.amend(tx, account, order, quantity, new_client_id)
        self._commit(tx)
        return order, amendment

    # --- canceling ----------------------------------------------------------------------------

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
        tx = self._command()
        check_account(account, -2011)
        order = find_open_order(self.ledger, account, symbol, order_id, client_id, -2011)
        check_restriction(order, restriction)
        done = self._cancel(tx, order, cancel_id or self.ledger.generate_id())
        self._commit(tx)
        return done

    def _cancel(self, tx: Transaction, order: Order, cancel_id: str) -> Canceled:
        group = self.ledger.list_of(order)
        if group is not None:
            return Canceled(self.lists.cancel(tx, group, cancel_id), group, cancel_id)
        self.matching.finish(tx, order, "CANCEL", cancel_id=cancel_id)
        return Canceled([order], None, cancel_id)

    def cancel_all(self, account: Account, symbol: str) -> list[Canceled]:
        """Cancel every open order of the symbol in one engine event.

        Raises:
            ApiError: -2011 when there is none.
        """
        tx = self._command()
        check_account(account, -2011)
        held = self.ledger.open_orders(account.account_id, symbol)
        if not held:
            raise ApiError(-2011, UNKNOWN_ORDER)
        cancel_id = self.ledger.generate_id()
        done = [self._cancel(tx, order, cancel_id) for order in held if order.is_open]
        self._commit(tx)
        return done

    def cancel_list(
        self,
        account: Account,
        symbol: str,
        list_id: int | None,
        client_id: str,
        cancel_id: str = "",
    ) -> Canceled:
        """Cancel an open list.

        Raises:
            ApiError: -2011 when there is no such open list.
        """
        tx = self._command()
        check_account(account, -2011)
        group = find_list(self.ledger, account, list_id, client_id)
        if group is None or not group.is_open or group.symbol != symbol:
            raise ApiError(-2011, UNKNOWN_ORDER)
        cancel_id = cancel_id or self.ledger.generate_id()
        orders = self.lists.cancel(tx, group, cancel_id)
        self._commit(tx)
        return Canceled(orders, group, cancel_id)

    # --- the operator's hand ------------------------------------------------------------------

    def add_account(self, account: Account) -> None:
        """Open an account, or keep what changed of an old one: keys, permissions, commission."""
        self.ledger.add_account(account)
        self.record(saving.account_record(account))

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
        """Change a symbol's status, permissions or filters.

        Raises:
            KeyError: no such symbol.
            ValueError: the change makes no sense.
        """
        rules = self.rules[symbol]
        rules.change(patch)
        self.record(self.symbol_record(rules))
        return rules

    def change_rules(self, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Change the filters over all symbols and those of assets; return them.

        Raises:
            ValueError: the change makes no sense.
        """
        self.exchange_rules.change(patch)
        self.record(self.rules_record())
        return self.exchange_rules.record()

    def keep_market(self) -> None:
        """Journal what users and hands did to the market."""
        self.market_moved = False
        self.record({"k": "market", "market": self.market.snapshot()})

    def keep_time(self) -> None:
        """Journal the exchange time, for a clock that stands still while the program is down."""
        self.record({"k": "time", "t": self.clock.now_ms()})

    def rules_record(self) -> dict[str, Any]:
        return {"k": "rules", **self.exchange_rules.record()}

    @staticmethod
    def symbol_record(rules: SymbolRules) -> dict[str, Any]:
        return {"k": "symbol", "symbol": rules.symbol, **rules.record()}
