"""From a request to an order: checks, funds, the first walk through the book."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from simexchange.engine.accounts import Account
from simexchange.engine.counts import CountFilters
from simexchange.engine.filters import CHECKS, Check, Prices, check_lot, check_request
from simexchange.engine.matching import Matching
from simexchange.engine.orders import STOP_TYPES, Order, OrderRequest, is_rising
from simexchange.engine.permits import check_permits
from simexchange.engine.symbols import ExchangeRules, SymbolRules
from simexchange.engine.taker import Plan
from simexchange.engine.transaction import Transaction
from simexchange.errors import ApiError

AVERAGE_KEPT_MS = 1_000
"""The five-minute average moves slowly; it is worked out once in so much exchange time."""


class Prepared(NamedTuple):
    """An order that can be refused no more: what it takes at once and what it must hold."""

    order: Order
    plan: Plan
    lock: Decimal


class Placing:
    """Places single orders; refuses before it changes anything."""

    def __init__(self, matching: Matching, exchange_rules: ExchangeRules) -> None:
        self.matching = matching
        self.ledger = matching.ledger
        self.market = matching.market
        self.counts = CountFilters(self.ledger, exchange_rules)
        self._averages: dict[str, tuple[int, Decimal]] = {}

    def prices(self, symbol: str, now_ms: int) -> Prices:
        """Return what the filters compare with; the average is at most a second old."""
        turn = now_ms // AVERAGE_KEPT_MS
        kept = self._averages.get(symbol)
        if kept is None or kept[0] != turn:
            kept = self._averages[symbol] = (turn, self.market.average_price(symbol))
        return Prices(kept[1], self.market.last_price(symbol))

    def check(self, account: Account, requests: Sequence[OrderRequest], now_ms: int) -> None:
        """Pass placements that belong together through status, permissions, filters and counts.

        Raises:
            ApiError: with the first rule that fails.
        """
        rules = self.rules_of(requests[0].symbol)
        for request in requests:
            self.check_alone(account, request, now_ms)
        self.counts.check(account, rules, requests)

    def rules_of(self, symbol: str) -> SymbolRules:
        """Return the symbol's rules.

        Raises:
            ApiError: -1121.
        """
        rules = self.matching.rules.get(symbol)
        if rules is None:
            raise ApiError(-1121, "Invalid symbol.")
        return rules

    def check_alone(
        self,
        account: Account,
        request: OrderRequest,
        now_ms: int,
        checks: tuple[Check, ...] = CHECKS,
    ) -> None:
        """Pass a placement through what does not depend on other orders.

        Raises:
            ApiError: with the first rule that fails.
        """
        rules = self.rules_of(request.symbol)
        if rules.status != "TRADING":
            raise ApiError(-1013, "Market is closed.")
        check_permits(account, rules, request)
        check_request(rules, request, self.prices(request.symbol, now_ms), checks)

    def check_client_ids(self, account: Account, requests: Sequence[OrderRequest]) -> None:
        """Refuse a client id that an open order of the account has, or that is given twice."""
        seen = set()
        for one in requests:
            name = one.client_order_id
            if not name:
                continue
            held = self.ledger.by_client.get((account.account_id, one.symbol, name))
            if name in seen or (held is not None and held.is_open):
                raise ApiError(-2010, "Duplicate order sent.")
            seen.add(name)

    def check_stop(self, symbol: str, order_type: str, side: str, stop_price: Decimal) -> None:
        """Refuse a stop that the last price would set off at once."""
        if order_type not in STOP_TYPES or not stop_price:
            return
        last = self.market.last_price(symbol)
        if (last >= stop_price) if is_rising(order_type, side) else (last <= stop_price):
            raise ApiError(-2010, "Order would trigger immediately.")

    def build(self, account: Account, request: OrderRequest, now_ms: int) -> Order:
        """Make the order of a request; it has no id and no place in the ledger yet."""
        is_stop = request.type in STOP_TYPES
        return Order(
            order_id=0,
            account=account.account_id,
            symbol=request.symbol,
            client_order_id=request.client_order_id,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            quantity=request.quantity,
            price=request.price,
            stop_price=request.stop_price,
            iceberg_quantity=request.iceberg_quantity,
            quote_quantity=request.quote_quantity,
            stp_mode=request.stp_mode,
            created_ms=now_ms,
            updated_ms=now_ms,
            working_ms=-1 if is_stop else now_ms,
            trailing_delta=request.trailing_delta,
            strategy_id=request.strategy_id,
            strategy_type=request.strategy_type,
        )

    def ready(self, order: Order, now_ms: int) -> None:
        """Set what an order takes from the market at the moment it is placed."""
        last = self.market.last_price(order.symbol)
        order.lock_price = order.price or order.stop_price or last
        if order.trailing_delta and not order.stop_price:
            order.trailing_ms, order.trailing_peak = now_ms, last

    def prepare(self, account: Account, order: Order, now_ms: int) -> Prepared:
        """Ask the engine's own questions of an order that passed the filters; change nothing else.

        Raises:
            ApiError: -2010.
        """
        self.check_stop(order.symbol, order.type, order.side, order.stop_price)
        self.ready(order, now_ms)
        if order.waits_for_stop:
            plan, needed = Plan(), self.matching.settling.lock_needed(order)
        else:
            plan = self.matching.plan(order, quote=order.quote_quantity)
            if order.type == "MARKET":
                needed = self._settle_market(account, order, plan)
            else:
                plan = self._settle_limit(order, plan)
                needed = self.matching.settling.lock_needed(order)
        asset = self.matching.settling.pay_asset(order.symbol, order.side)
        account.require(asset, needed - order.locked)
        return Prepared(order, plan, needed)

    @staticmethod
    def _settle_limit(order: Order, plan: Plan) -> Plan:
        if order.type == "LIMIT_MAKER" and plan.steps:
            raise ApiError(-2010, "Order would immediately match and take.")
        if order.time_in_force == "FOK" and plan.traded < order.quantity:
            return Plan()
        return plan

    def _settle_market(self, account: Account, order: Order, plan: Plan) -> Decimal:
        """Fix a quote order's quantity; return what the order pays."""
        if order.quote_quantity:
            rules = self.matching.rules[order.symbol]
            if not plan.steps:
                raise self._no_liquidity(rules, order)
            order.quantity = plan.used_up
            check_lot(rules, order.quantity)
            check_lot(rules, order.quantity, "MARKET_LOT_SIZE")
            if order.side == "BUY":
                account.require(rules.quote, order.quote_quantity)
                return plan.cost
            return order.quantity
        return plan.cost if order.side == "BUY" else order.quantity

    def _no_liquidity(self, rules: SymbolRules, order: Order) -> ApiError:
        makers = self.market.ladder(order.symbol, "SELL" if order.side == "BUY" else "BUY")
        has_level = next(iter(makers), None) is not None
        if (
            not has_level
            and next(self.matching.books[order.symbol].makers(order.side), None) is None
        ):
            return ApiError(-2010, "Order book liquidity is less than symbol minimum quantity.")
        name = "LOT_SIZE" if rules.market_step == rules.step else "MARKET_LOT_SIZE"
        return ApiError(
            -2010, f"Order book liquidity is less than `{name}` filter minimum quantity."
        )

    def enter(self, order: Order) -> None:
        """Give the order its ids and a place in the ledger."""
        order.order_id = self.ledger.next_order_id
        self.ledger.next_order_id += 1
        order.client_order_id = order.client_order_id or self.ledger.generate_id()
        self.ledger.put_order(order)

    def start(self, tx: Transaction, prepared: Prepared) -> None:
        """Lock, report and let the order wait or take; nothing can be refused any more."""
        self.announce(tx, prepared)
        self.work(tx, prepared)

    def announce(self, tx: Transaction, prepared: Prepared) -> None:
        """Lock what the order needs and report it."""
        if prepared.lock:
            self.matching.settling.lock(tx, prepared.order, prepared.lock)
        tx.report(prepared.order, "NEW")

    def work(self, tx: Transaction, prepared: Prepared) -> None:
        """Let an announced order wait or take."""
        order = prepared.order
        if order.waits_for_stop:
            order.turn = self.ledger.take_turn()
            self.matching.books[order.symbol].add(order)
        else:
            self.matching.take(tx, order, prepared.plan)

    def place(self, tx: Transaction, account: Account, request: OrderRequest) -> Order:
        """Place one order and let it take what it can.

        Raises:
            ApiError: nothing has changed then.
        """
        self.check(account, (request,), tx.now_ms)
        self.check_client_ids(account, (request,))
        prepared = self.prepare(account, self.build(account, request, tx.now_ms), tx.now_ms)
        self.enter(prepared.order)
        self.start(tx, prepared)
        return prepared.order
