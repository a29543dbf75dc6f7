"""An engine on a fake market, with everything it publishes and journals in lists."""

from decimal import Decimal
from typing import Any

from simexchange.clock import SimClock
from simexchange.engine.accounts import Account
from simexchange.engine.exchange import Exchange
from simexchange.engine.ledger import Ledger
from simexchange.engine.lists import OcoRequest
from simexchange.engine.orders import Order, OrderRequest
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
        account = Account(account_id, f"SIM{account_id}", "secret", fee, fee)
        account.credit("BTC", Decimal(1_000))
        account.credit("USDT", Decimal(1_000_000))
        self.exchange.add_account(account)
        return account

    def place(self, side: str, kind: str = "MARKET", **fields: Any) -> Order:
        account = fields.pop("account", self.account)
        return self.exchange.place(account, request(side, kind, **fields))

    def place_oco(self, side: str, above: OrderRequest, below: OrderRequest) -> Any:
        oco = OcoRequest(symbol="BTCUSDT", side=side, above=above, below=below)
        return self.exchange.place_oco(self.account, oco)

    def held(self, asset: str) -> tuple[Decimal, Decimal]:
        """Return (free, locked)."""
        balance = self.account.balance(asset)
        return balance.free, balance.locked

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
