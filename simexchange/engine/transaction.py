"""One engine event: what it changed and tells, journalled before it is told."""

from collections.abc import Callable
from typing import Any

from simexchange.engine import events
from simexchange.engine.accounts import Account
from simexchange.engine.ledger import Ledger
from simexchange.engine.orders import Amendment, Fill, Order, OrderList, PreventedMatch
from simexchange.engine.records import to_record

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
        self.first_fills: list[tuple[str, bool]] = []
        self._orders: dict[int, Order] = {}
        self._lists: dict[int, OrderList] = {}
        self._fills: list[Fill] = []
        self._prevented: list[PreventedMatch] = []
        self._amendments: list[Amendment] = []
        self._assets: dict[str, dict[str, None]] = {}
        self._reports: list[tuple[str, dict[str, Any]]] = []
        self._statuses: list[tuple[str, dict[str, Any]]] = []

    def changed(self, order: Order) -> None:
        """Note that the order differs, for the journal only."""
        self._orders[order.order_id] = order

    def touched(self, account: Account, *assets: str) -> None:
        """Note that balances differ."""
        account.updated_ms = self.now_ms
        held = self._assets.setdefault(account.account_id, {})
        for asset in assets:
            held[asset] = None

    def list_held(self, group: OrderList) -> None:
        """Note that the list differs, for the journal only."""
        self._lists[group.list_id] = group

    def list_changed(self, group: OrderList) -> None:
        """Note a list's new status and what its listStatus says at this very step."""
        self.list_held(group)
        members = self.ledger.list_members(group)
        self._statuses.append((group.account, events.list_status(group, members, self.now_ms)))

    def report(
        self,
        order: Order,
        kind: str,
        *,
        fill: Fill | None = None,
        client_id: str = "",
        match: PreventedMatch | None = None,
    ) -> int:
        """Note the order as changed and what its executionReport says at this very step.

        Args:
            order: as it stands after the step.
            kind: the execution type.
            fill: the execution when kind is TRADE.
            client_id: of a cancel its own id, of an amendment the order's id before.
            match: the prevented match when kind is TRADE_PREVENTION.

        Returns:
            The execution's id.
        """
        order.updated_ms = self.now_ms
        self.changed(order)
        if fill is not None:
            self._fills.append(fill)
            if len(order.fills) == 1:
                self.first_fills.append((order.account, fill.is_maker))
        execution_id = self.ledger.next_execution_id
        self.ledger.next_execution_id += 1
        event = events.execution_report(
            order,
            kind=kind,
            execution_id=execution_id,
            fill=fill,
            client_id=client_id,
            now_ms=self.now_ms,
        )
        if match is not None:
            event.update(events.prevention(order, match))
        self._reports.append((order.account, event))
        return execution_id

    def prevented(self, match: PreventedMatch) -> None:
        """Note a prevented match."""
        self.ledger.put_prevented(match)
        self._prevented.append(match)

    def amended(self, amendment: Amendment) -> None:
        """Note an accepted amendment."""
        self.ledger.put_amendment(amendment)
        self._amendments.append(amendment)

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
        rows = (
            ("o", self._orders.values()),
            ("l", self._lists.values()),
            ("f", self._fills),
            ("p", self._prevented),
            ("a", self._amendments),
        )
        for name, held in rows:
            if held:
                record[name] = [to_record(one) for one in held]
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
            send(account_id, events.account_position(account, list(assets), self.now_ms))
        for account_id, event in self._statuses:
            send(account_id, event)
