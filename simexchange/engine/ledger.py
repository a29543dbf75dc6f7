"""The exchange's own truth: accounts, orders, lists, fills, ids and the requests it saw."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any

from simexchange.engine import views
from simexchange.engine.accounts import Account
from simexchange.engine.orders import Amendment, Fill, Order, OrderList, PreventedMatch
from simexchange.engine.records import copy_state

REQUESTS_KEPT = 100_000
"""Older requests leave the memory; the journal has them still until it is compacted."""


class Ledger:
    """All state of the engine, indexed for the queries of the faces."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.accounts: dict[str, Account] = {}
        self.by_key: dict[str, Account] = {}
        self.orders: dict[int, Order] = {}
        self.lists: dict[int, OrderList] = {}
        self.lists_by_client: dict[tuple[str, str], OrderList] = {}
        self.open: dict[str, dict[str, dict[int, Order]]] = defaultdict(lambda: defaultdict(dict))
        self.by_symbol: dict[tuple[str, str], list[Order]] = defaultdict(list)
        self.by_client: dict[tuple[str, str, str], Order] = {}
        self.fills: dict[tuple[str, str], list[Fill]] = defaultdict(list)
        self.prevented: list[PreventedMatch] = []
        self.prevented_of: dict[int, list[PreventedMatch]] = defaultdict(list)
        self.amendments: dict[int, list[Amendment]] = defaultdict(list)
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)
        self.next_order_id = 1
        self.next_list_id = 0
        self.next_execution_id = 1
        self.next_generated = 0
        self.next_turn = 1
        self.next_match_id = 0

    def add_account(self, account: Account) -> None:
        """Take an account in; an old one of its id loses the keys it has no more."""
        for key in [k for k, a in self.by_key.items() if a.account_id == account.account_id]:
            del self.by_key[key]
        self.accounts[account.account_id] = account
        for key in account.credentials:
            self.by_key[key] = account

    def generate_id(self) -> str:
        """Return a 22 character id like the exchange's own, the same for the same seed and turn."""
        self.next_generated += 1
        digest = hashlib.blake2b(f"{self.seed}:{self.next_generated}".encode(), digest_size=11)
        return digest.hexdigest()

    def take_turn(self) -> int:
        """Return the next place in time among orders of one price."""
        turn = self.next_turn
        self.next_turn += 1
        return turn

    def put_order(self, order: Order) -> None:
        """Take a new order in, or one read back from the journal in its latest state."""
        before = self.orders.get(order.order_id)
        if before is None:
            self.orders[order.order_id] = order
            self.by_symbol[order.account, order.symbol].append(order)
            self._index(order)
        elif before is not order:
            self.rename(before, order.client_order_id)
            copy_state(order, before)
            order = before
        held = self.open[order.account][order.symbol]
        if order.is_open:
            held[order.order_id] = order
        else:
            held.pop(order.order_id, None)

    def _index(self, order: Order) -> None:
        """Let the client id find the order: the open one, else the latest."""
        name = (order.account, order.symbol, order.client_order_id)
        held = self.by_client.get(name)
        if held is None or not held.is_open:
            self.by_client[name] = order

    def rename(self, order: Order, client_order_id: str) -> None:
        """Give an order another client id; the old one is free again."""
        if order.client_order_id == client_order_id:
            return
        old = (order.account, order.symbol, order.client_order_id)
        if self.by_client.get(old) is order:
            del self.by_client[old]
        order.client_order_id = client_order_id
        self.by_client[order.account, order.symbol, client_order_id] = order

    def put_list(self, group: OrderList) -> None:
        """Take a new list in, or one read back from the journal in its latest state."""
        latest = self.lists_by_client.get((group.account, group.client_list_id))
        if latest is None or latest.list_id <= group.list_id:
            self.lists_by_client[group.account, group.client_list_id] = group
        self.lists[group.list_id] = group

    def put_fill(self, fill: Fill) -> None:
        self.fills[fill.account, fill.symbol].append(fill)
        self.orders[fill.order_id].fills.append(fill)

    def put_prevented(self, match: PreventedMatch) -> None:
        self.prevented.append(match)
        for order_id in {match.taker_order_id, match.maker_order_id}:
            self.prevented_of[order_id].append(match)

    def put_amendment(self, amendment: Amendment) -> None:
        self.amendments[amendment.order_id].append(amendment)

    def list_members(self, group: OrderList) -> list[Order]:
        return [self.orders[order_id] for order_id in group.order_ids]

    def list_of(self, order: Order) -> OrderList | None:
        """Return the order's list while that is open."""
        group = self.lists.get(order.list_id)
        return group if group is not None and group.is_open else None

    def find_list(
        self, account: Account, client_list_id: str, *, is_open: bool = False
    ) -> OrderList | None:
        """Return the account's latest list with this client id, if any."""
        group = self.lists_by_client.get((account.account_id, client_list_id))
        return None if group is None or (is_open and not group.is_open) else group

    def open_orders(self, account: str, symbol: str = "") -> list[Order]:
        """Return the account's open orders in the order of their ids."""
        if symbol:
            return list(self.open[account][symbol].values())
        held = [one for row in self.open[account].values() for one in row.values()]
        return sorted(held, key=lambda one: one.order_id)

    # --- what the journal keeps ---------------------------------------------------------------

    def ids(self) -> list[int]:
        return [
            self.next_order_id,
            self.next_list_id,
            self.next_execution_id,
            self.next_generated,
            self.next_turn,
            self.next_match_id,
        ]

    def set_ids(self, ids: list[int]) -> None:
        """Take back what `ids` returned."""
        (
            self.next_order_id,
            self.next_list_id,
            self.next_execution_id,
            self.next_generated,
            self.next_turn,
            self.next_match_id,
        ) = ids

    # --- the control face -----------------------------------------------------------------------

    def _lines(self, view: Any, rows: Iterator[tuple[str, Any]]) -> list[dict[str, Any]]:
        return [{"account": account, **view(row)} for account, row in rows]

    def describe(self) -> dict[str, Any]:
        """Return everything, as ``GET /_sim/ledger`` shows it."""
        fills = ((fill.account, fill) for row in self.fills.values() for fill in row)
        return {
            "accounts": [
                {
                    "account": one.account_id,
                    "key": one.first_key.key,
                    "keys": list(one.credentials),
                    "balances": views.balances(one),
                }
                for one in self.accounts.values()
            ],
            "orders": self._lines(views.query, ((o.account, o) for o in self.orders.values())),
            "lists": [
                {"account": g.account, **views.order_list(g, self.list_members(g))}
                for g in self.lists.values()
            ],
            "trades": self._lines(views.trade, fills),
            "prevented": [views.prevented_match(one) for one in self.prevented],
            "requests": list(self.requests),
        }
