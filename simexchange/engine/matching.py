"""Executions: a taker through the ladder and the users' orders; what ends and what rests."""

from collections import defaultdict, deque
from collections.abc import Mapping
from decimal import Decimal

from simexchange.engine.book import UserBook
from simexchange.engine.decimals import ZERO
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import MARKET_TYPES, Order, OrderList, PreventedMatch
from simexchange.engine.settling import Settling
from simexchange.engine.symbols import SymbolRules
from simexchange.engine.taker import Plan, Step, Wish, plan_walk
from simexchange.engine.transaction import Transaction
from simexchange.market.api import Market, Side, Trade

REPORTED = {
    "CANCEL": "CANCELED",
    "EXPIRE": "EXPIRED",
    "PREVENT": "TRADE_PREVENTION",
}
"""How the end of an order is reported."""


class Matching:
    """Changes orders; every change goes through the transaction handed in.

    `prices` are the trades whose stops are still to be set off, `filled_workings` the lists whose
    legs are to be placed in engine events of their own.
    """

    def __init__(self, ledger: Ledger, market: Market, rules: Mapping[str, SymbolRules]) -> None:
        self.ledger = ledger
        self.market = market
        self.rules = rules
        self.settling = Settling(ledger, market, rules)
        self.books: dict[str, UserBook] = defaultdict(UserBook)
        self.prices: deque[tuple[str, Decimal]] = deque()
        self.filled_workings: deque[OrderList] = deque()

    # --- entering and leaving ------------------------------------------------------------------

    def finish(
        self,
        tx: Transaction,
        order: Order,
        event: str,
        *,
        reason: str = "NONE",
        cancel_id: str = "",
        match: PreventedMatch | None = None,
    ) -> None:
        """End an open order: off the book, lock released, reported, its list told."""
        self.books[order.symbol].remove(order)
        order.move(event)
        order.expiry_reason = reason
        self.settling.release(tx, order)
        self.ledger.put_order(order)
        tx.report(order, REPORTED[event], client_id=cancel_id, match=match)
        self._after_end(tx, order)

    def _after_end(self, tx: Transaction, order: Order) -> None:
        """Let the list follow when one of its orders is over."""
        group = self.ledger.list_of(order)
        if group is None:
            return
        if order.order_id == group.working_id:
            if order.status == "FILLED":
                self.filled_workings.append(group)
            else:
                self.end_list(tx, group, reason="OTO_PHASE_ONE_EXPIRED")
        elif group.legs_placed and not any(o.is_open for o in self.ledger.list_members(group)):
            self.end_list(tx, group)

    def end_list(self, tx: Transaction, group: OrderList, reason: str = "NONE") -> None:
        """Close a list: what is still open of it expires, what it holds is given back."""
        group.order_status = "ALL_DONE"
        for order in self.ledger.list_members(group):
            if order.is_open:
                self.finish(tx, order, "EXPIRE", reason=reason)
        self.close_list(tx, group)

    def close_list(self, tx: Transaction, group: OrderList) -> None:
        """Mark a list as done and give back what it holds; its orders are left alone."""
        self.settling.release_list(tx, group)
        group.status_type = group.order_status = "ALL_DONE"
        tx.list_changed(group)

    def leave_list(self, tx: Transaction, order: Order, reason: str = "OCO_TRIGGER") -> None:
        """Before a leg executes: expire the other leg and hand the list's lock to this one."""
        group = self.ledger.list_of(order)
        if group is None or order.order_id == group.working_id or len(group.leg_ids) == 1:
            return
        order.locked, group.locked = group.locked, ZERO
        group.order_status = "ALL_DONE"
        for sibling in self.ledger.list_members(group):
            if sibling is not order and sibling.is_open:
                self.finish(tx, sibling, "EXPIRE", reason=reason)
        self.close_list(tx, group)

    # --- executing -----------------------------------------------------------------------------

    def plan(self, order: Order, *, quote: Decimal = ZERO) -> Plan:
        """Work out what the order would take now."""
        maker_side: Side = "SELL" if order.side == "BUY" else "BUY"
        account = self.ledger.accounts[order.account]

        def mode_against(maker: Order) -> str:
            if order.stp_mode == "NONE":
                return ""
            other = self.ledger.accounts[maker.account]
            if not account.is_same_trader(other):
                return ""
            if order.stp_mode == "TRANSFER" and (maker.stp_mode != "TRANSFER" or other is account):
                return "DECREMENT"
            return order.stp_mode

        wish = Wish(
            side=order.side,
            quantity=order.remaining,
            quote=quote,
            limit=ZERO if order.type in MARKET_TYPES else order.price,
            step=self.rules[order.symbol].market_step,
            mode_against=mode_against,
        )
        makers = self.books[order.symbol].makers(order.side)
        return plan_walk(wish, self.market.ladder(order.symbol, maker_side), makers)

    def execute(self, tx: Transaction, order: Order, plan: Plan) -> None:
        """Carry a plan out step by step."""
        for step in plan.steps:
            if step.mode:
                self._prevent(tx, order, step)
            else:
                self._trade(tx, order, step)

    def _trade(self, tx: Transaction, order: Order, step: Step) -> None:
        side: Side = "BUY" if order.side == "BUY" else "SELL"
        maker = step.maker
        if maker is not None:
            self.leave_list(tx, maker)
        trade = self.market.consume(
            order.symbol, side, step.price, step.quantity, of_user=maker is not None
        )
        if maker is None:
            self._move_queues(tx, order, step)
        else:
            self.fill(tx, maker, trade, is_maker=True)
        self.fill(tx, order, trade, is_maker=False)
        self.prices.append((order.symbol, step.price))

    def _move_queues(self, tx: Transaction, order: Order, step: Step) -> None:
        """Let users' orders at the price move up by what the taker took of the ladder."""
        book = self.books[order.symbol]
        if book:
            for waiting in book.at_price("SELL" if order.side == "BUY" else "BUY", step.price):
                waiting.queue_ahead = max(ZERO, waiting.queue_ahead - step.quantity)
                tx.changed(waiting)

    def fill(self, tx: Transaction, order: Order, trade: Trade, *, is_maker: bool) -> None:
        """Book one execution of an order and report it."""
        fill = self.settling.fill(tx, order, trade, is_maker=is_maker)
        if order.remaining > 0:
            order.move("FILL_PART")
            if order.iceberg_quantity and is_maker:
                self._shrink(order, trade.quantity)
        else:
            order.move("FILL_ALL")
            self.books[order.symbol].remove(order)
            self.ledger.put_order(order)
        tx.report(order, "TRADE", fill=fill)
        if not order.is_open:
            self._after_end(tx, order)

    def _shrink(self, order: Order, quantity: Decimal) -> None:
        """Take from what an iceberg shows; a new slice goes to the end of the queue."""
        order.shown -= quantity
        if order.shown <= 0:
            self.books[order.symbol].remove(order)
            self.rest(order)

    def _prevent(self, tx: Transaction, taker: Order, step: Step) -> None:
        """Carry a prevented self-trade out: quantity expires instead of trading."""
        maker, mode = step.maker, step.mode
        if maker is None:
            raise ValueError("only a user's order can be a self-trade's maker")
        self.leave_list(tx, maker)
        takes_all = {"EXPIRE_TAKER": (taker,), "EXPIRE_MAKER": (maker,)}.get(mode, (taker, maker))
        quantities = {
            one.order_id: one.remaining if mode.startswith("EXPIRE") else step.quantity
            for one in takes_all
        }
        match = self._match(tx, taker, maker, step, quantities)
        for one in (maker, taker):
            quantity = quantities.get(one.order_id)
            if quantity is not None:
                one.prevented += quantity
                one.prevented_match_id = match.match_id
                self._lose(tx, one, match, quantity)

    def _lose(
        self, tx: Transaction, order: Order, match: PreventedMatch, quantity: Decimal
    ) -> None:
        if match.mode == "TRANSFER":
            self.settling.swap(tx, order, match.price, quantity)
        if order.remaining <= 0:
            self.finish(tx, order, "PREVENT", match=match)
            return
        if order.type not in MARKET_TYPES:
            self.settling.lock(tx, order, self.settling.lock_needed(order))
        if order.iceberg_quantity and order.order_id == match.maker_order_id:
            self._shrink(order, quantity)
        tx.report(order, "TRADE_PREVENTION", match=match)

    def _match(
        self,
        tx: Transaction,
        taker: Order,
        maker: Order,
        step: Step,
        quantities: Mapping[int, Decimal],
    ) -> PreventedMatch:
        match = PreventedMatch(
            symbol=taker.symbol,
            match_id=self.ledger.next_match_id,
            taker_account=taker.account,
            taker_order_id=taker.order_id,
            maker_account=maker.account,
            maker_order_id=maker.order_id,
            trade_group=self.ledger.accounts[taker.account].trade_group,
            mode=step.mode,
            price=step.price,
            taker_quantity=quantities.get(taker.order_id, ZERO),
            maker_quantity=quantities.get(maker.order_id, ZERO),
            time_ms=tx.now_ms,
        )
        self.ledger.next_match_id += 1
        tx.prevented(match)
        return match

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
        order.queue_ahead = self.market.quantity_at(order.symbol, side, order.price)
        order.turn = self.ledger.take_turn()
        if order.iceberg_quantity:
            order.shown = min(order.iceberg_quantity, order.remaining)
        self.books[order.symbol].add(order)
