"""From a request to an order: checks, funds, the first walk through the book."""

from decimal import Decimal

from simexchange.engine.accounts import INSUFFICIENT, Account
from simexchange.engine.filters import check_counts, check_lot, check_request
from simexchange.engine.matching import Matching
from simexchange.engine.orders import STOP_TYPES, Order, OrderRequest, is_rising
from simexchange.engine.symbols import SymbolRules
from simexchange.engine.taker import Plan
from simexchange.engine.transaction import Transaction
from simexchange.errors import ApiError

AVERAGE_KEPT_MS = 1_000
"""The five-minute average moves slowly; it is worked out once in so much exchange time."""


class Placing:
    """Places single orders; refuses before it changes anything."""

    def __init__(self, matching: Matching) -> None:
        self.matching = matching
        self.ledger = matching.ledger
        self.market = matching.market
        self._averages: dict[str, tuple[int, Decimal]] = {}

    def average_price(self, symbol: str, now_ms: int) -> Decimal:
        """Return the filters' reference price, at most a second of exchange time old."""
        turn = now_ms // AVERAGE_KEPT_MS
        kept = self._averages.get(symbol)
        if kept is None or kept[0] != turn:
            kept = self._averages[symbol] = (turn, self.market.average_price(symbol))
        return kept[1]

    def check(self, account: Account, request: OrderRequest, now_ms: int) -> SymbolRules:
        """Pass the request through status, filters and counts.

        Raises:
            ApiError: with the first rule that fails.
        """
        rules = self.check_alone(request, now_ms)
        counts = self.ledger.open_counts(account.account_id, request.symbol)
        if request.type != "MARKET":
            check_counts(rules, counts, orders=1, algos=int(request.type in STOP_TYPES))
        return rules

    def check_alone(self, request: OrderRequest, now_ms: int) -> SymbolRules:
        """Pass the request through what does not depend on other orders."""
        rules = self.matching.rules.get(request.symbol)
        if rules is None:
            raise ApiError(-1121, "Invalid symbol.")
        if rules.status != "TRADING":
            raise ApiError(-1013, "Market is closed.")
        check_request(rules, request, self.average_price(request.symbol, now_ms))
        return rules

    def check_client_id(self, account: Account, symbol: str, client_order_id: str) -> None:
        """Refuse a client id that an open order of the account has on the symbol."""
        held = self.ledger.by_client.get((account.account_id, symbol, client_order_id))
        if client_order_id and held is not None and held.is_open:
            raise ApiError(-2010, "Duplicate order sent.")

    def check_stop(self, request: OrderRequest) -> None:
        """Refuse a stop that the last price would set off at once."""
        if request.type not in STOP_TYPES:
            return
        last = self.market.last_price(request.symbol)
        rising = is_rising(request.type, request.side)
        if (last >= request.stop_price) if rising else (last <= request.stop_price):
            raise ApiError(-2010, "Order would trigger immediately.")

    def build(self, account: Account, request: OrderRequest, now_ms: int) -> Order:
        """Make the order of a request; it has no id and no place in the ledger yet."""
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
            working_ms=-1 if request.type in STOP_TYPES else now_ms,
            strategy_id=request.strategy_id,
            strategy_type=request.strategy_type,
        )

    def enter(self, order: Order) -> None:
        """Give the order its ids and a place in the ledger."""
        order.order_id = self.ledger.next_order_id
        self.ledger.next_order_id += 1
        order.client_order_id = order.client_order_id or self.ledger.generate_id()
        self.ledger.put_order(order)

    def place(self, tx: Transaction, account: Account, request: OrderRequest) -> Order:
        """Place one order and let it take what it can.

        Raises:
            ApiError: nothing has changed then.
        """
        rules = self.check(account, request, tx.now_ms)
        self.check_client_id(account, request.symbol, request.client_order_id)
        self.check_stop(request)
        order = self.build(account, request, tx.now_ms)
        if request.type in STOP_TYPES:
            self._lock(tx, account, order)
            self.enter(order)
            tx.report(order, "NEW")
            self.matching.books[order.symbol].add(order)
            return order
        plan = self.matching.plan(order, quote=request.quote_quantity)
        if request.type == "MARKET":
            self._check_market(account, rules, order, plan)
        else:
            plan = self._settle_limit_plan(order, plan)
            self._lock(tx, account, order)
        self.enter(order)
        tx.report(order, "NEW")
        self.matching.take(tx, order, plan)
        return order

    @staticmethod
    def _settle_limit_plan(order: Order, plan: Plan) -> Plan:
        if order.type == "LIMIT_MAKER" and (plan.legs or plan.prevented or plan.stopped):
            raise ApiError(-2010, "Order would immediately match and take.")
        if order.time_in_force == "FOK" and plan.quantity < order.quantity:
            return Plan()
        return plan

    def _lock(self, tx: Transaction, account: Account, order: Order) -> None:
        needed = self.matching.lock_needed(order)
        asset = self.matching.pay_asset(order, order.side)
        account.lock(asset, needed)
        order.locked = needed
        tx.touched(account, asset)

    def _check_market(self, account: Account, rules: SymbolRules, order: Order, plan: Plan) -> None:
        free = account.balance(self.matching.pay_asset(order, order.side)).free
        if free < self._market_need(order, plan):
            raise ApiError(-2010, INSUFFICIENT)
        if not order.quantity:
            if not plan.legs:
                raise ApiError(
                    -2010, "Order book liquidity is less than `LOT_SIZE` filter minimum quantity."
                )
            check_lot(rules, plan.quantity)
            order.quantity = plan.quantity

    @staticmethod
    def _market_need(order: Order, plan: Plan) -> Decimal:
        if order.side == "BUY":
            return order.quote_quantity or plan.cost
        return order.quantity or plan.quantity
