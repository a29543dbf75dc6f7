"""A person, the exchange and the guardian around one resting entry with its stop and target."""

from decimal import Decimal

from execution.domain.order import OrderType, Side, TimeInForce
from execution.models import Order
from execution.services.brackets import settle_brackets
from execution.services.completing import record_live
from execution.services.manual import ManualOrder, place_manual_order
from execution.services.protection import protect_positions, send_protection
from execution.services.resolution import resolve_unknown
from markets.models import Instrument
from markets.selectors import forget_rules

D = Decimal
QUANTITY, HELD = D("0.02"), D("0.01998")  # the fee comes off the base asset
PRICE, STOP, TARGET = D("49500"), D("48000"), D("52000")
WITHOUT_BRACKET = {
    "price": None,
    "time_in_force": None,
    "stop_loss_price": None,
    "take_profit_price": None,
}


class BracketDesk:
    """One account whose exchange takes an entry and its pair in one list."""

    def __init__(self, world):
        self.world, self.broker, self.clock = world, world.broker, world.clock
        self.common = {"broker": world.broker, "clock": world.clock}
        self.account_id = world.account.pk
        Instrument.objects.update(otoco_allowed=True)
        forget_rules()

    def place(self, key="bracket", **changes):
        wanted = {
            "symbol": "BTCUSDT",
            "side": Side.BUY,
            "type": OrderType.LIMIT,
            "quantity": QUANTITY,
            "price": PRICE,
            "time_in_force": TimeInForce.GTC,
            "stop_loss_price": STOP,
            "take_profit_price": TARGET,
        }
        return place_manual_order(
            account_id=self.account_id,
            wanted=ManualOrder(**{**wanted, **changes}),
            idempotency_key=key,
            actor="tester",
            **self.common,
        )

    def told(self, order):
        """Return what the exchange has under the order's name."""
        name = order.client_order_id
        return next(o for o in self.broker.orders.values() if o.client_order_id == name)

    def fill(self, order, quantity=QUANTITY):
        return self.broker.fill(self.told(order).venue_order_id, quantity, PRICE)

    def book(self, *reports):
        recorded = record_live(account_id=self.account_id, reports=reports, **self.common)
        send_protection(list_ids=recorded.protect_ids, **self.common)

    def guard(self):
        """Do the guardian's duties around orders once."""
        resolve_unknown(account_id=self.account_id, **self.common)
        settle_brackets(account_id=self.account_id, **self.common)
        protect_positions(account_id=self.account_id, **self.common)

    def wait(self, seconds):
        self.clock.advance(seconds)


def pair():
    return Order.objects.get(leg="PROTECT", working__isnull=False)


def states():
    """Return the states of the waiting pair and its legs."""
    return [pair().state, *pair().legs.order_by("pk").values_list("state", flat=True)]


def calls(world):
    return [request.call for request in world.broker.requests]
