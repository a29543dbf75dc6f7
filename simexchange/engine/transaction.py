"""One engine event: what it changed and tells, journalled before it is told."""

from collections.abc import Callable
from typing import Any

from simexchange.engine import views
from simexchange.engine.accounts import Account
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import Fill, Order, OrderList, to_record

Publish = Callable[[str, dict[str, Any]], None]
Record = Callable[[dict[str, Any]], None]


class Transaction:
    """Collects the effects of one engine event.

    `commit` first writes the journal record, then hands out the user events in the exchange's
    order: executionReports, outboundAccountPosition, listStatus.
    """

    def __init__(self, ledger: Ledger, now_ms: int) -> None:
        self.ledger = ledger
        self.now_ms = now_ms
        self._orders: dict[int, Order] = {}
        self._lists: dict[int, OrderList] = {}
        self._fills: list[Fill] = []
        self._assets: dict[str, dict[str, None]] = {}
        self._reports: list[tuple[str, dict[str, Any]]] = []

    def changed(self, order: Order) -> None:
        """Note that the order differs, for the journal only."""
        self._orders[order.order_id] = order

    def touched(self, account: Account, *assets: str) -> None:
        """Note that balances differ."""
        account.updated_ms = self.now_ms
        held = self._assets.setdefault(account.account_id, {})
        for asset in assets:
            held[asset] = None

    def list_changed(self, group: OrderList) -> None:
        self._lists[group.list_id] = group

    def report(
        self, order: Order, kind: str, *, fill: Fill | None = None, cancel_id: str = ""
    ) -> None:
        """Note the order as changed and what its executionReport says at this very step."""
        order.updated_ms = self.now_ms
        self.changed(order)
        if fill is not None:
            self._fills.append(fill)
        execution_id = self.ledger.next_execution_id
        self.ledger.next_execution_id += 1
        event = views.execution_report(
            order,
            kind=kind,
            execution_id=execution_id,
            fill=fill,
            cancel_id=cancel_id,
            now_ms=self.now_ms,
        )
        self._reports.append((order.account, event))

    def tell(self, account_id: str, event: dict[str, Any]) -> None:
        """Add an event of another kind, told before the account's position."""
        self._reports.append((account_id, event))

    @property
    def has_changes(self) -> bool:
        return bool(self._orders or self._lists or self._assets)

    @property
    def has_fills(self) -> bool:
        return bool(self._fills)

    def record(self) -> dict[str, Any]:
        """Return the journal record of everything noted."""
        record: dict[str, Any] = {"k": "x", "t": self.now_ms, "n": self.ledger.ids()}
        if self._orders:
            record["o"] = [to_record(one) for one in self._orders.values()]
        if self._lists:
            record["l"] = [to_record(one) for one in self._lists.values()]
        if self._fills:
            record["f"] = [to_record(one) for one in self._fills]
        if self._assets:
            record["b"] = {
                account_id: {
                    asset: [str(held.free), str(held.locked)]
                    for asset in assets
                    for held in (self.ledger.accounts[account_id].balance(asset),)
                }
                for account_id, assets in self._assets.items()
            }
        return record

    def publish(self, send: Publish) -> None:
        """Hand the events out."""
        for account_id, event in self._reports:
            send(account_id, event)
        for account_id, assets in self._assets.items():
            account = self.ledger.accounts[account_id]
            send(account_id, views.account_position(account, list(assets), self.now_ms))
        for group in self._lists.values():
            members = self.ledger.list_members(group)
            send(group.account, views.list_status(group, members, self.now_ms))
