"""An engine on a fake market, with everything it publishes and journals in lists."""

from decimal import Decimal
from typing import Any

from simexchange.clock import SimClock
from simexchange.engine.accounts import Account, Credential
from simexchange.engine.commission import Commission
from simexchange.engine.exchange import Exchange
from simexchange.engine.ledger import Ledger
from simexchange.engine.lists import ListRequest
from simexchange.engine.orders import Order, OrderList, OrderRequest
from tests.fakes.sim_market import FakeMarket

FEE = Decimal("0.001")


class Desk:
    """One account with 1,000 BTC and 1,000,000 USDT on an engine of its own."""

    def __init__(self, *, fee: Decimal = FEE, ledger: Ledger | None = None) -> None:
        self.clock = SimClock(origin_sim_ms=1_000, manual=True)
        self.market = FakeMarket(self.clock.now_ms)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.records: list[dict[str, Any]] = []
        self.exchange = Exchange(
            ledger=ledger or Ledger(),
            market=self.market,
            clock=self.clock,
            record=self.records.append,
            publish=lambda account, event: self.events.append((account, event)),
        )
        self.ledger = self.exchange.ledger
        if ledger is None:
            self.account = self.add_account("1", fee)
        else:
            self.account = ledger.accounts["1"]

    def add_account(self, account_id: str, fee: Decimal = FEE) -> Account:
        key = Credential(f"SIM{account_id}", "secret")
        account = Account.open(account_id, Commission.flat(fee, fee), [key])
        account.credit("BTC", Decimal(1_000))
        account.credit("USDT", Decimal(1_000_000))
        self.exchange.add_account(account)
        return account

    def place(self, side: str, kind: str = "MARKET", **fields: Any) -> Order:
        account = fields.pop("account", self.account)
        return self.exchange.place(account, request(side, kind, **fields))

    def submit_list(self, account: Account, request: ListRequest) -> None:
        self.exchange.place_list(account, request)

    def cancel(self, account: Account, order_id: int) -> None:
        self.exchange.cancel(account, "BTCUSDT", order_id=order_id)

    def cancel_all(self, account: Account) -> None:
        self.exchange.cancel_all(account, "BTCUSDT")

    def amend(self, account: Account, order_id: int, quantity: Decimal) -> None:
        self.exchange.amend(account, "BTCUSDT", order_id=order_id, client_id="", quantity=quantity)

    def place_list(
        self,
        above: OrderRequest,
        below: OrderRequest | None = None,
        *,
        working: OrderRequest | None = None,
        pays: bool = False,
    ) -> OrderList:
        """Place a list and return it as it is now, its legs activated where they were."""
        listed = self.exchange.place_list(
            self.account,
            ListRequest(
                symbol="BTCUSDT", above=above, below=below, working=working, pays_legs=pays
            ),
        )
        return self.ledger.lists[listed.group.list_id]

    def members(self, group: OrderList) -> list[Order]:
        return self.ledger.list_members(group)

    def held(self, asset: str) -> tuple[Decimal, Decimal]:
        """Return (free, locked)."""
        balance = self.account.balance(asset)
        return balance.free, balance.locked

    def snapshot(self) -> tuple[Any, ...]:
        """Return all that a refused request must leave alone."""
        ledger = self.ledger
        return (
            ledger.ids(),
            [(o.order_id, o.status, o.quantity, o.locked) for o in ledger.orders.values()],
            [
                (account.account_id, asset, held.free, held.locked)
                for account in ledger.accounts.values()
                for asset, held in account.balances.items()
                if held.free or held.locked
            ],
            len(self.events),
            len(self.records),
        )

    def told(self) -> list[str]:
        """Return what was published, reports with execution type and status."""
        return [
            f"{event['x']} {event['X']}" if event["e"] == "executionReport" else event["e"]
            for _, event in self.events
        ]


def request(side: str, kind: str = "MARKET", **fields: Any) -> OrderRequest:
    """Return a placement; numbers may be given as text."""
    numbers = {
        name: Decimal(held) if isinstance(held, str) and held[:1].isdigit() else held
        for name, held in fields.items()
        if name != "client_order_id"
    }
    if "client_order_id" in fields:
        numbers["client_order_id"] = fields["client_order_id"]
    return OrderRequest(symbol="BTCUSDT", side=side, type=kind, **numbers)
