"""Executions: takers through the ladder, resting orders by the tape, stops by the last price."""

from collections import defaultdict, deque
from collections.abc import Mapping
from decimal import Decimal

from simexchange.engine.book import UserBook
from simexchange.engine.decimals import ZERO, cut_atoms
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import MARKET_TYPES, Fill, Order, OrderList
from simexchange.engine.symbols import SymbolRules
from simexchange.engine.taker import Leg, Plan, Wish, plan_walk
from simexchange.engine.transaction import Transaction
from simexchange.market.api import Market, Side, Trade


class Matching:
    """Changes orders and balances; every change goes through the transaction handed in."""

    def __init__(self, ledger: Ledger, market: Market, rules: Mapping[str, SymbolRules]) -> None:
        self.ledger = ledger
        self.market = market
        self.rules = rules
        self.books: dict[str, UserBook] = defaultdict(UserBook)
        self._prices: deque[tuple[str, Decimal]] = deque()

    # --- entering and leaving ------------------------------------------------------------------

    def pay_asset(self, order: Order | OrderList, side: str) -> str:
        rules = self.rules[order.symbol]
        return rules.quote if side == "BUY" else rules.base

    @staticmethod
    def lock_needed(order: Order) -> Decimal:
        """Return what an open order has to hold for its remaining quantity."""
        if order.type == "MARKET":
            return ZERO
        if order.side == "SELL":
            return order.remaining
        return (order.price or order.stop_price) * order.remaining

    def finish(
        self,
        tx: Transaction,
        order: Order,
        event: str,
        *,
        reason: str = "NONE",
        cancel_id: str = "",
    ) -> None:
        """End an open order: off the book, lock released, reported."""
        self.books[order.symbol].remove(order)
        order.move(event)
        order.expiry_reason = reason
        self._release(tx, order)
        kind = {"CANCEL": "CANCELED", "EXPIRE": "EXPIRED", "PREVENT": "TRADE_PREVENTION"}[event]
        self.ledger.put_order(order)
        tx.report(order, kind, cancel_id=cancel_id)

    def _release(self, tx: Transaction, order: Order) -> None:
        if order.locked:
            account = self.ledger.accounts[order.account]
            asset = self.pay_asset(order, order.side)
            account.release(asset, order.locked)
            order.locked = ZERO
            tx.touched(account, asset)

    def leave_list(self, tx: Transaction, order: Order, reason: str = "OCO_TRIGGER") -> None:
        """Before a leg executes: expire the other leg and hand the list's lock to this one."""
        group = self.ledger.lists.get(order.list_id)
        if group is None or not group.is_open:
            return
        order.locked, group.locked = group.locked, ZERO
        for sibling in self.ledger.list_members(group):
            if sibling is not order and sibling.is_open:
                self.finish(tx, sibling, "EXPIRE", reason=reason)
        self.close_list(tx, group)

    def close_list(self, tx: Transaction, group: OrderList) -> None:
        group.status_type = group.order_status = "ALL_DONE"
        tx.list_changed(group)

    # --- executing -----------------------------------------------------------------------------

    def plan(self, order: Order, *, quote: Decimal = ZERO) -> Plan:
        """Work out what the order would take now."""
        maker_side: Side = "SELL" if order.side == "BUY" else "BUY"
        wish = Wish(
            account=order.account,
            side=order.side,
            quantity=order.remaining,
            quote=quote,
            limit=ZERO if order.type in MARKET_TYPES else order.price,
            step=self.rules[order.symbol].step,
            stp_mode=order.stp_mode,
        )
        makers = self.books[order.symbol].makers(order.side)
        return plan_walk(wish, self.market.ladder(order.symbol, maker_side), makers)

    def execute(self, tx: Transaction, order: Order, plan: Plan) -> None:
        """Carry a plan out: prevented makers expire, then leg by leg."""
        for maker in plan.prevented:
            self._leave_or_close(tx, maker)
        side: Side = "BUY" if order.side == "BUY" else "SELL"
        for leg in plan.legs:
            if leg.maker is not None:
                self.leave_list(tx, leg.maker)
            trade = self.market.consume(
                order.symbol, side, leg.price, leg.quantity, of_user=leg.maker is not None
            )
            if leg.maker is not None:
                self._fill(tx, leg.maker, trade, is_maker=True)
            self._fill(tx, order, trade, is_maker=False)
            self._prices.append((order.symbol, leg.price))
        if plan.stopped and order.is_open:
            self.finish(tx, order, "PREVENT")

    def _leave_or_close(self, tx: Transaction, maker: Order) -> None:
        self.leave_list(tx, maker)
        self.finish(tx, maker, "PREVENT")

    def _fill(self, tx: Transaction, order: Order, trade: Trade, *, is_maker: bool) -> None:
        account, rules = self.ledger.accounts[order.account], self.rules[order.symbol]
        cost = trade.price * trade.quantity
        is_buy = order.side == "BUY"
        pay, receive = (rules.quote, rules.base) if is_buy else (rules.base, rules.quote)
        paid, received = (cost, trade.quantity) if is_buy else (trade.quantity, cost)
        fee = cut_atoms(received * (account.maker_fee if is_maker else account.taker_fee))
        order.executed += trade.quantity
        order.quote_executed += cost
        account.spend(pay, order.locked, paid)
        order.locked = min(self.lock_needed(order), account.balance(pay).free)
        account.lock(pay, order.locked)
        account.credit(receive, received - fee)
        fill = Fill(
            account=order.account,
            symbol=order.symbol,
            trade_id=trade.trade_id,
            order_id=order.order_id,
            list_id=order.list_id,
            side=order.side,
            price=trade.price,
            quantity=trade.quantity,
            fee=fee,
            fee_asset=receive,
            time_ms=trade.time_ms,
            is_maker=is_maker,
        )
        order.move("FILL_ALL" if order.remaining <= 0 else "FILL_PART")
        self.ledger.put_fill(fill)
        if not order.is_open:
            self.books[order.symbol].remove(order)
            self.ledger.put_order(order)
        tx.touched(account, pay, receive)
        tx.report(order, "TRADE", fill=fill)

    def take(self, tx: Transaction, order: Order, plan: Plan) -> None:
        """Execute what is there, then let the rest expire or rest as the order says."""
        self.execute(tx, order, plan)
        if not order.is_open:
            return
        if order.type in MARKET_TYPES:
            self.finish(tx, order, "EXPIRE", reason="INSUFFICIENT_LIQUIDITY")
        elif order.time_in_force == "IOC":
            self.finish(tx, order, "EXPIRE", reason="UNFILLED_IOC_QUANTITY_EXPIRED")
        elif order.time_in_force == "FOK":
            self.finish(tx, order, "EXPIRE", reason="UNFILLED_FOK_ORDER_EXPIRED")
        else:
            self.rest(order)

    def rest(self, order: Order) -> None:
        """Enter a working order into the book behind what the ladder shows at its price."""
        side: Side = "BUY" if order.side == "BUY" else "SELL"
        order.queue_ahead = ZERO
        for price, quantity in self.market.ladder(order.symbol, side):
            if price == order.price:
                order.queue_ahead = quantity
            if (price <= order.price) if side == "BUY" else (price >= order.price):
                break
        self.books[order.symbol].add(order)

    # --- the tape ------------------------------------------------------------------------------

    def on_tape(self, tx: Transaction, trade: Trade) -> None:
        """Let one trade of the tape fill resting orders and set off stops."""
        book = self.books[trade.symbol]
        sellers_hit = trade.is_buyer_maker
        for row, is_opposite in ((book.buys, sellers_hit), (book.sells, not sellers_hit)):
            self._fill_resting(tx, trade, [entry[2] for entry in row], is_opposite=is_opposite)
        self._prices.append((trade.symbol, trade.price))
        self.settle_prices(tx)

    def _fill_resting(
        self, tx: Transaction, trade: Trade, orders: list[Order], *, is_opposite: bool
    ) -> None:
        left = trade.quantity
        for order in orders:
            through = order.price - trade.price
            if order.side == "SELL":
                through = -through
            if through < 0:
                break
            if through > 0:
                # The level is gone: all that rested there was taken.
                self._fill_maker(tx, order, order.remaining)
            elif is_opposite:
                left, quantity = self._queue_share(tx, order, left)
                if quantity > 0:
                    self._fill_maker(tx, order, quantity)

    @staticmethod
    def _queue_share(tx: Transaction, order: Order, left: Decimal) -> tuple[Decimal, Decimal]:
        """Give a trade at the order's price first to the queue ahead; return (left, ours)."""
        ahead = min(order.queue_ahead, left)
        order.queue_ahead -= ahead
        if ahead:
            tx.changed(order)
        ours = min(left - ahead, order.remaining)
        return left - ahead - ours, ours

    def _fill_maker(self, tx: Transaction, order: Order, quantity: Decimal) -> None:
        if not order.is_open:
            return
        self.leave_list(tx, order)
        taker_side: Side = "SELL" if order.side == "BUY" else "BUY"
        trade = self.market.consume(order.symbol, taker_side, order.price, quantity, of_user=True)
        self._fill(tx, order, trade, is_maker=True)
        self._prices.append((order.symbol, trade.price))

    def settle_prices(self, tx: Transaction) -> None:
        """Set off the stops of every price seen since, and of the prices they cause themselves."""
        while self._prices:
            symbol, price = self._prices.popleft()
            for order in self.books[symbol].triggered(price):
                if order.is_open and order.waits_for_stop:
                    self._trigger(tx, order)

    def _trigger(self, tx: Transaction, order: Order) -> None:
        self.books[order.symbol].remove(order)
        self.leave_list(tx, order)
        order.working_ms = tx.now_ms
        tx.report(order, "NEW")
        plan = self.plan(order)
        if order.time_in_force == "FOK" and plan.quantity < order.remaining:
            plan = Plan()
        self._cut_to_funds(order, plan)
        self.take(tx, order, plan)

    def _cut_to_funds(self, order: Order, plan: Plan) -> None:
        """A triggered market BUY locked at its stop price: drop what it cannot pay for now."""
        if order.side != "BUY" or order.type not in MARKET_TYPES:
            return
        account = self.ledger.accounts[order.account]
        funds = account.balance(self.pay_asset(order, "BUY")).free + order.locked
        step = self.rules[order.symbol].step
        kept: list[Leg] = []
        for leg in plan.legs:
            quantity = min(leg.quantity, (funds / leg.price) // step * step)
            if quantity > 0:
                kept.append(leg._replace(quantity=quantity))
                funds -= quantity * leg.price
            if quantity < leg.quantity:
                break
        plan.legs = kept
