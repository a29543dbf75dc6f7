"""The money of an order: what it locks, what a fill pays and receives, and the commission."""

from collections.abc import Mapping
from decimal import Decimal

from simexchange.engine.accounts import Account
from simexchange.engine.commission import DISCOUNT_ASSET
from simexchange.engine.decimals import ZERO, cut_atoms
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import MARKET_TYPES, Fill, Order, OrderList
from simexchange.engine.symbols import SymbolRules
from simexchange.engine.transaction import Transaction
from simexchange.market.api import Market, Trade

ONE = Decimal(1)


class Settling:
    """Moves balances; nothing else does."""

    def __init__(self, ledger: Ledger, market: Market, rules: Mapping[str, SymbolRules]) -> None:
        self.ledger = ledger
        self.market = market
        self.rules = rules

    def pay_asset(self, symbol: str, side: str) -> str:
        """Return what an order of this side pays with."""
        rules = self.rules[symbol]
        return rules.quote if side == "BUY" else rules.base

    @staticmethod
    def lock_needed(order: Order) -> Decimal:
        """Return what an open order has to hold for its remaining quantity."""
        if order.side == "SELL":
            return order.remaining
        return order.lock_price * order.remaining

    def lock(self, tx: Transaction, order: Order, quantity: Decimal) -> None:
        """Make the order hold exactly `quantity`.

        Raises:
            ApiError: -2010 when the account has not got it; nothing has changed then.
        """
        account = self.ledger.accounts[order.account]
        asset = self.pay_asset(order.symbol, order.side)
        if quantity >= order.locked:
            account.lock(asset, quantity - order.locked)
        else:
            account.release(asset, order.locked - quantity)
        order.locked = quantity
        tx.touched(account, asset)

    def release(self, tx: Transaction, order: Order) -> None:
        """Give back what the order holds."""
        if order.locked:
            self.lock(tx, order, ZERO)

    def release_list(self, tx: Transaction, group: OrderList) -> None:
        """Give back what the list holds for its legs."""
        if group.locked:
            account = self.ledger.accounts[group.account]
            asset = self.leg_asset(group)
            account.release(asset, group.locked)
            group.locked = ZERO
            tx.touched(account, asset)

    def leg_asset(self, group: OrderList) -> str:
        """Return what the legs of the list pay with."""
        leg = self.ledger.orders[group.leg_ids[0]]
        return self.pay_asset(group.symbol, leg.side)

    def swap(self, tx: Transaction, order: Order, price: Decimal, quantity: Decimal) -> Decimal:
        """Let the order's account pay and receive for `quantity`, and fit the lock to the rest.

        The order's quantities are already those after the execution. A market order spends what it
        holds; any other holds what its remaining quantity needs.

        Returns:
            What was received, still free and without commission taken.
        """
        account, rules = self.ledger.accounts[order.account], self.rules[order.symbol]
        cost = price * quantity
        if order.side == "BUY":
            pay, receive, paid, received = rules.quote, rules.base, cost, quantity
        else:
            pay, receive, paid, received = rules.base, rules.quote, quantity, cost
        held = order.locked
        account.spend(pay, held, paid)
        if order.type in MARKET_TYPES:
            needed = max(held - paid, ZERO) if order.remaining > 0 else ZERO
        else:
            needed = self.lock_needed(order)
        order.locked = min(needed, account.balance(pay).free)
        account.lock(pay, order.locked)
        account.credit(receive, received)
        tx.touched(account, pay, receive)
        return received

    def fill(self, tx: Transaction, order: Order, trade: Trade, *, is_maker: bool) -> Fill:
        """Book one execution: quantities, balances, commission and the fill itself."""
        order.executed += trade.quantity
        order.quote_executed += trade.price * trade.quantity
        received = self.swap(tx, order, trade.price, trade.quantity)
        account = self.ledger.accounts[order.account]
        fee, fee_asset = self._charge(tx, order, trade, received, is_maker=is_maker)
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
            fee_asset=fee_asset,
            time_ms=trade.time_ms,
            is_maker=is_maker,
        )
        group = self.ledger.list_of(order)
        if group is not None and group.pays_legs and order.order_id == group.working_id:
            self._keep_for_legs(tx, account, group, fill)
        self.ledger.put_fill(fill)
        return fill

    def _charge(
        self, tx: Transaction, order: Order, trade: Trade, received: Decimal, *, is_maker: bool
    ) -> tuple[Decimal, str]:
        """Take the commission: in the discount asset where that is wanted, possible and there."""
        account, rules = self.ledger.accounts[order.account], self.rules[order.symbol]
        is_buy = order.side == "BUY"
        receive = rules.base if is_buy else rules.quote
        commission = account.commission
        if commission.has_discount:
            fraction = commission.discounted(is_maker=is_maker, is_buyer=is_buy)
            worth = self._in_discount_asset(receive, trade)
            fee = cut_atoms(received * fraction * worth[0] / worth[1]) if worth else None
            if fee is not None and account.balance(DISCOUNT_ASSET).free >= fee:
                account.credit(DISCOUNT_ASSET, -fee)
                tx.touched(account, DISCOUNT_ASSET)
                return fee, DISCOUNT_ASSET
        fee = cut_atoms(received * commission.fraction(is_maker=is_maker, is_buyer=is_buy))
        account.credit(receive, -fee)
        return fee, receive

    def _in_discount_asset(self, asset: str, trade: Trade) -> tuple[Decimal, Decimal] | None:
        """Return (factor, divisor) from `asset` to the discount's, None when nothing tells.

        By a symbol of the two, or through the quote asset of the trade.
        """
        direct = self._cross(asset)
        if direct is not None:
            return direct
        through = self._cross(self.rules[trade.symbol].quote)
        return None if through is None else (trade.price * through[0], through[1])

    def _cross(self, asset: str) -> tuple[Decimal, Decimal] | None:
        if asset == DISCOUNT_ASSET:
            return ONE, ONE
        if DISCOUNT_ASSET + asset in self.rules:
            return ONE, self.market.last_price(DISCOUNT_ASSET + asset)
        if asset + DISCOUNT_ASSET in self.rules:
            return self.market.last_price(asset + DISCOUNT_ASSET), ONE
        return None

    def _keep_for_legs(
        self, tx: Transaction, account: Account, group: OrderList, fill: Fill
    ) -> None:
        """Lock what the working order received for the legs it pays.

        The commission comes out of other funds where there are enough, unless it is BNB.
        """
        asset = self.leg_asset(group)
        kept = fill.quantity
        free = account.balance(asset).free
        if fill.fee_asset == asset and (asset == DISCOUNT_ASSET or free < fill.quantity):
            kept -= fill.fee
        account.lock(asset, kept)
        group.locked += kept
        tx.list_held(group)
