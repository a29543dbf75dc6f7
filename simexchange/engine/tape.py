"""What the trades of others do: fill resting orders, set off stops, lead trailing stops."""

from collections.abc import Iterable
from decimal import Decimal

from simexchange.engine.book import Entry
from simexchange.engine.decimals import floor_to
from simexchange.engine.matching import Matching
from simexchange.engine.orders import MARKET_TYPES, Order
from simexchange.engine.taker import Plan, Step
from simexchange.engine.transaction import Transaction
from simexchange.market.api import Quote, Side, Trade

BIPS = 10_000


class Tape:
    """Follows the prices."""

    def __init__(self, matching: Matching) -> None:
        self.matching = matching
        self.market = matching.market

    def follow(self, tx: Transaction, trade: Trade) -> None:
        """Let one trade of the tape fill resting orders and set off stops."""
        book = self.matching.books[trade.symbol]
        sellers_hit = trade.is_buyer_maker
        for row, is_opposite in ((book.buys, sellers_hit), (book.sells, not sellers_hit)):
            self._fill_resting(tx, trade, _reached(row, trade.price), is_opposite=is_opposite)
        self.matching.prices.append((trade.symbol, trade.price))
        self.settle(tx)

    def meet(self, tx: Transaction, quote: Quote) -> Decimal:
        """Let makers that came to users' orders fill these; return what was taken of the quote."""
        book = self.matching.books[quote.symbol]
        row = book.buys if quote.side == "SELL" else book.sells
        comes = Trade(
            *(quote.symbol, 0, quote.price, quote.quantity, tx.now_ms), quote.side == "SELL"
        )
        left = self._fill_resting(tx, comes, _reached(row, quote.price), is_opposite=True)
        self.settle(tx)
        return quote.quantity - left

    def _fill_resting(
        self, tx: Transaction, trade: Trade, orders: Iterable[Order], *, is_opposite: bool
    ) -> Decimal:
        """Fill what a trade reaches; return what is left of it at exactly its price."""
        left = trade.quantity
        for order in orders:
            if order.price != trade.price:
                # The level is gone: all that rested there was taken.
                self._fill_maker(tx, order, order.remaining)
            elif is_opposite:
                left, quantity = self._queue_share(tx, order, left)
                if quantity > 0:
                    self._fill_maker(tx, order, quantity)
        return left

    @staticmethod
    def _queue_share(tx: Transaction, order: Order, left: Decimal) -> tuple[Decimal, Decimal]:
        """Give a trade at the order's price first to the queue ahead; return (left, ours)."""
        ahead = min(order.queue_ahead, left)
        order.queue_ahead -= ahead
        if ahead:
            tx.changed(order)
        ours = min(left - ahead, order.visible)
        return left - ahead - ours, ours

    def _fill_maker(self, tx: Transaction, order: Order, quantity: Decimal) -> None:
        if not order.is_open:
            return
        self.matching.leave_list(tx, order)
        taker_side: Side = "SELL" if order.side == "BUY" else "BUY"
        trade = self.market.consume(order.symbol, taker_side, order.price, quantity, of_user=True)
        self.matching.fill(tx, order, trade, is_maker=True)
        self.matching.prices.append((order.symbol, trade.price))

    def settle(self, tx: Transaction) -> None:
        """Set off the stops of every price seen since, and of the prices they cause themselves."""
        prices = self.matching.prices
        while prices:
            symbol, price = prices.popleft()
            book = self.matching.books[symbol]
            if not book:
                continue
            for order in book.triggered(price):
                if order.is_open and order.waits_for_stop:
                    self._trigger(tx, order)
            for order in list(book.trailing.values()):
                if order.is_open and order.waits_for_stop and self._lead(tx, order, price):
                    self._trigger(tx, order)

    @staticmethod
    def _lead(tx: Transaction, order: Order, price: Decimal) -> bool:
        """Let a trailing stop follow a price; return True when that sets it off.

        Source: Binance Spot documentation, "Trailing Stop" FAQ.
        """
        if order.trailing_ms < 0:
            rising, stop = order.triggers_rising, order.stop_price
            if (price < stop) if rising else (price > stop):
                return False
            order.trailing_ms = tx.now_ms
            order.trailing_peak = price
            tx.changed(order)
            return False
        is_better = (
            price > order.trailing_peak if order.side == "SELL" else (price < order.trailing_peak)
        )
        if is_better:
            order.trailing_peak = price
            tx.changed(order)
            return False
        delta = order.trailing_peak * order.trailing_delta / BIPS
        if order.side == "SELL":
            return price <= order.trailing_peak - delta
        return price >= order.trailing_peak + delta

    def _trigger(self, tx: Transaction, order: Order) -> None:
        self.matching.books[order.symbol].remove(order)
        self.matching.leave_list(tx, order)
        order.working_ms = tx.now_ms
        tx.report(order, "NEW")
        plan = self.matching.plan(order)
        if order.time_in_force == "FOK" and plan.traded < order.remaining:
            plan = Plan()
        self._cut_to_funds(tx, order, plan)
        self.matching.take(tx, order, plan)

    def _cut_to_funds(self, tx: Transaction, order: Order, plan: Plan) -> None:
        """A triggered market BUY locked an estimate: drop what it cannot pay for, hold the cost."""
        if order.side != "BUY" or order.type not in MARKET_TYPES:
            return
        settling = self.matching.settling
        account = self.matching.ledger.accounts[order.account]
        funds = account.balance(settling.pay_asset(order.symbol, "BUY")).free + order.locked
        size = self.matching.rules[order.symbol].step
        kept: list[Step] = []
        for step in plan.steps:
            if step.mode:
                kept.append(step)
                continue
            quantity = min(step.quantity, floor_to(funds / step.price, size))
            if quantity > 0:
                kept.append(step._replace(quantity=quantity))
                funds -= quantity * step.price
            if quantity < step.quantity:
                break
        plan.steps = kept
        settling.lock(tx, order, plan.cost)


def _reached(row: list[Entry], price: Decimal) -> list[Order]:
    """Return the resting orders a trade at `price` meets or goes through, best first."""
    reached = []
    for _, _, order in row:
        if (order.price < price) if order.side == "BUY" else (order.price > price):
            break
        reached.append(order)
    return reached
