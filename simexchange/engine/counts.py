"""The filters that depend on what else an account has open."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from simexchange.engine.accounts import Account
from simexchange.engine.decimals import ZERO
from simexchange.engine.filters import fail
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import STOP_TYPES, Order, OrderRequest
from simexchange.engine.symbols import ExchangeRules, Numbers, SymbolRules


class Counts(NamedTuple):
    """How many orders, stops, icebergs and lists."""

    orders: int
    algos: int
    icebergs: int
    lists: int


LIMITS = (
    ("MAX_NUM_ORDERS", "maxNumOrders", "orders"),
    ("MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders", "algos"),
    ("MAX_NUM_ICEBERG_ORDERS", "maxNumIcebergOrders", "icebergs"),
    ("MAX_NUM_ORDER_LISTS", "maxNumOrderLists", "lists"),
)
"""(filter, its field, what it counts); over all symbols the filter's name begins EXCHANGE_."""


def count_orders(held: Iterable[Order]) -> Counts:
    """Count open orders."""
    rows = list(held)
    return Counts(
        orders=len(rows),
        algos=sum(1 for one in rows if one.type in STOP_TYPES),
        icebergs=sum(1 for one in rows if one.iceberg_quantity),
        lists=len({one.list_id for one in rows if one.list_id >= 0}),
    )


def count_requests(requests: Sequence[OrderRequest]) -> Counts:
    """Count what is to be placed; several together are one list."""
    return Counts(
        orders=len(requests),
        algos=sum(1 for one in requests if one.type in STOP_TYPES),
        icebergs=sum(1 for one in requests if one.iceberg_quantity),
        lists=int(len(requests) > 1),
    )


def _check(numbers: Numbers, prefix: str, present: Counts, more: Counts) -> None:
    for name, field, what in LIMITS:
        rule = numbers.get(prefix + name)
        added = getattr(more, what)
        if rule is not None and added and getattr(present, what) + added > rule[field]:
            raise fail(prefix + name)


class CountFilters:
    """Checks MAX_NUM_*, EXCHANGE_MAX_NUM_*, MAX_POSITION and MAX_ASSET."""

    def __init__(self, ledger: Ledger, exchange_rules: ExchangeRules) -> None:
        self.ledger = ledger
        self.exchange_rules = exchange_rules

    def check(self, account: Account, rules: SymbolRules, requests: Sequence[OrderRequest]) -> None:
        """Refuse when these placements would be too many or too much.

        Raises:
            ApiError: -1013 with the first filter that fails.
        """
        self._check_position(account, rules, requests)
        # A market order never stays open; it is not counted.
        resting = [one for one in requests if one.type != "MARKET"]
        if resting:
            more = count_requests(resting)._replace(lists=int(len(requests) > 1))
            held = self.ledger.open[account.account_id]
            _check(rules.numbers, "", count_orders(held[rules.symbol].values()), more)
            if self.exchange_rules.numbers:
                every = count_orders(one for row in held.values() for one in row.values())
                _check(self.exchange_rules.numbers, "EXCHANGE_", every, more)
        if self.exchange_rules.asset_limits:
            for one in requests:
                self._check_assets(rules, one)

    def _check_position(
        self, account: Account, rules: SymbolRules, requests: Sequence[OrderRequest]
    ) -> None:
        numbers = rules.numbers.get("MAX_POSITION")
        if numbers is None or not any(one.side == "BUY" for one in requests):
            return
        balance = account.balance(rules.base)
        position = balance.free + balance.locked
        for order in self.ledger.open[account.account_id][rules.symbol].values():
            if order.side == "BUY":
                position += order.remaining
        position += max(one.quantity for one in requests if one.side == "BUY")
        if position > numbers["maxPosition"]:
            raise fail("MAX_POSITION")

    def _check_assets(self, rules: SymbolRules, request: OrderRequest) -> None:
        limits = self.exchange_rules.asset_limits
        notional = request.quote_quantity or request.price * request.quantity
        for asset, amount in ((rules.base, request.quantity), (rules.quote, notional)):
            if asset in limits and amount > limits[asset] > ZERO:
                raise fail("MAX_ASSET")
