"""The exchange's own truth: accounts, orders, lists, fills, ids and the requests it saw."""

import hashlib
from collections import defaultdict, deque
from decimal import Decimal
from typing import Any

from simexchange.engine import views
from simexchange.engine.accounts import Account, Balance
from simexchange.engine.filters import OpenCounts
from simexchange.engine.orders import (
    STOP_TYPES,
    Fill,
    Order,
    OrderList,
    copy_state,
    from_record,
    to_record,
)

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
        self.open: dict[str, dict[int, Order]] = defaultdict(dict)
        self.by_symbol: dict[tuple[str, str], list[Order]] = defaultdict(list)
        self.by_client: dict[tuple[str, str, str], Order] = {}
        self.fills: dict[tuple[str, str], list[Fill]] = defaultdict(list)
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)
        self.next_order_id = 1
        self.next_list_id = 0
        self.next_execution_id = 1
        self.next_generated = 0

    def add_account(self, account: Account) -> None:
        old = self.accounts.get(account.account_id)
        if old is not None:
            self.by_key.pop(old.key, None)
        self.accounts[account.account_id] = account
        self.by_key[account.key] = account

    def generate_id(self) -> str:
        """Return a 22 character id like the exchange's own, the same for the same seed and turn."""
        self.next_generated += 1
        digest = hashlib.blake2b(f"{self.seed}:{self.next_generated}".encode(), digest_size=11)
        return digest.hexdigest()

    def put_order(self, order: Order) -> None:
        """Take a new order in, or one read back from the journal in its latest state."""
        before = self.orders.get(order.order_id)
        if before is None:
            self.orders[order.order_id] = order
            self.by_symbol[order.account, order.symbol].append(order)
            self.by_client[order.account, order.symbol, order.client_order_id] = order
        elif before is not order:
            copy_state(order, before)
            order = before
        if order.is_open:
            self.open[order.account][order.order_id] = order
        else:
            self.open[order.account].pop(order.order_id, None)

    def put_list(self, group: OrderList) -> None:
        """Take a new list in, or one read back from the journal in its latest state."""
        latest = self.lists_by_client.get((group.account, group.client_list_id))
        if latest is None or latest.list_id <= group.list_id:
            self.lists_by_client[group.account, group.client_list_id] = group
        self.lists[group.list_id] = group

    def put_fill(self, fill: Fill) -> None:
        self.fills[fill.account, fill.symbol].append(fill)
        self.orders[fill.order_id].fills.append(fill)

    def list_members(self, group: OrderList) -> list[Order]:
        return [self.orders[order_id] for order_id in group.order_ids]

    def open_orders(self, account: str, symbol: str = "") -> list[Order]:
        return [one for one in self.open[account].values() if not symbol or one.symbol == symbol]

    def open_counts(self, account: str, symbol: str) -> OpenCounts:
        held = self.open_orders(account, symbol)
        return OpenCounts(
            orders=len(held),
            algos=sum(1 for one in held if one.type in STOP_TYPES),
            lists=len({one.list_id for one in held if one.list_id >= 0}),
        )

    # --- what the journal keeps ---------------------------------------------------------------

    def ids(self) -> list[int]:
        return [
            self.next_order_id,
            self.next_list_id,
            self.next_execution_id,
            self.next_generated,
        ]

    def account_record(self, account: Account) -> dict[str, Any]:
        return {
            "k": "account",
            "id": account.account_id,
            "key": account.key,
            "secret": account.secret,
            "public": account.public_key,
            "fees": [str(account.maker_fee), str(account.taker_fee)],
            "b": {a: [str(h.free), str(h.locked)] for a, h in account.balances.items()},
        }

    def records(self) -> list[dict[str, Any]]:
        """Return records that `apply` rebuilds this ledger from."""
        rows = [self.account_record(account) for account in self.accounts.values()]
        rows.extend({"k": "x", "o": [to_record(one)]} for one in self.orders.values())
        rows.extend({"k": "x", "l": [to_record(one)]} for one in self.lists.values())
        rows.extend({"k": "x", "f": [to_record(f)]} for row in self.fills.values() for f in row)
        rows.extend({"k": "request", **one} for one in self.requests)
        rows.append({"k": "x", "n": self.ids()})
        return rows

    def apply(self, record: dict[str, Any]) -> None:
        """Take one journal record in; kinds that are not the ledger's are passed over."""
        kind = record["k"]
        if kind == "account":
            self._apply_account(record)
        elif kind == "request":
            self.requests.append({name: held for name, held in record.items() if name != "k"})
        elif kind == "x":
            self._apply_change(record)

    def _apply_account(self, record: dict[str, Any]) -> None:
        maker, taker = record["fees"]
        account = Account(
            account_id=record["id"],
            key=record["key"],
            secret=record["secret"],
            public_key=record["public"],
            maker_fee=Decimal(maker),
            taker_fee=Decimal(taker),
        )
        self._apply_balances(account, record["b"])
        self.add_account(account)

    def _apply_change(self, record: dict[str, Any]) -> None:
        for row in record.get("o", ()):
            self.put_order(from_record(Order, row))
        for row in record.get("l", ()):
            self.put_list(from_record(OrderList, row))
        for row in record.get("f", ()):
            self.put_fill(from_record(Fill, row))
        for account_id, held in record.get("b", {}).items():
            account = self.accounts[account_id]
            self._apply_balances(account, held)
            account.updated_ms = record["t"]
        if "n" in record:
            (
                self.next_order_id,
                self.next_list_id,
                self.next_execution_id,
                self.next_generated,
            ) = record["n"]

    @staticmethod
    def _apply_balances(account: Account, held: dict[str, list[str]]) -> None:
        for asset, (free, locked) in held.items():
            account.balances[asset] = Balance(Decimal(free), Decimal(locked))

    # --- the control face -----------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """Return everything, as ``GET /_sim/ledger`` shows it."""
        return {
            "accounts": [
                {"account": one.account_id, "key": one.key, "balances": views.balances(one)}
                for one in self.accounts.values()
            ],
            "orders": [{"account": o.account, **views.query(o)} for o in self.orders.values()],
            "lists": [
                {"account": g.account, **views.order_list(g, self.list_members(g))}
                for g in self.lists.values()
            ],
            "trades": [
                {"account": account, **views.trade(fill)}
                for (account, _), row in self.fills.items()
                for fill in row
            ],
            "requests": list(self.requests),
        }
