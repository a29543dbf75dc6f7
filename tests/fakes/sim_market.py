"""A market of one symbol that stands still until a test moves it."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from simexchange.market.api import Instrument, Quote, Side, Trade

TICK = Decimal("0.01")


class FakeMarket:
    """Bids at 99, 98, 97 and asks at 101, 102, 103, ten units each; the last price is 100."""

    symbols = ("BTCUSDT",)

    def __init__(self, now_ms: Callable[[], int] = lambda: 1_000) -> None:
        self.now_ms = now_ms
        self.last = Decimal(100)
        self.average = Decimal(100)
        self.books: dict[str, list[list[Decimal]]] = {
            "SELL": [[Decimal(price), Decimal(10)] for price in (101, 102, 103)],
            "BUY": [[Decimal(price), Decimal(10)] for price in (99, 98, 97)],
        }
        self.next_id = 1
        self.consumed: list[Trade] = []
        self._listeners: list[Callable[[Trade], None]] = []
        self._quote_listeners: list[Callable[[Quote], Decimal]] = []

    def instrument(self, symbol: str) -> Instrument:
        assert symbol in self.symbols
        return Instrument(symbol, "BTC", "USDT", TICK, Decimal("0.00001"))

    def last_price(self, symbol: str) -> Decimal:
        return self.last

    def best(self, symbol: str) -> tuple[Decimal, Decimal]:
        return self.books["BUY"][0][0], self.books["SELL"][0][0]

    def ladder(self, symbol: str, side: Side) -> Iterable[tuple[Decimal, Decimal]]:
        yield from [(price, quantity) for price, quantity in self.books[side] if quantity > 0]

    def quantity_at(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        return next((held for at, held in self.books[side] if at == price), Decimal(0))

    def average_price(self, symbol: str) -> Decimal:
        return self.average

    def consume(
        self, symbol: str, side: Side, price: Decimal, quantity: Decimal, *, of_user: bool = False
    ) -> Trade:
        for level in self.books["SELL" if side == "BUY" else "BUY"]:
            if not of_user and level[0] == price:
                level[1] -= quantity
        trade = Trade(symbol, self.next_id, price, quantity, self.now_ms(), side == "SELL")
        self.next_id += 1
        self.last = price
        self.consumed.append(trade)
        return trade

    def on_trade(self, callback: Callable[[Trade], None]) -> None:
        self._listeners.append(callback)

    def on_quote(self, callback: Callable[[Quote], Decimal]) -> None:
        self._quote_listeners.append(callback)

    def quote(self, side: Side, price: str, quantity: str = "1") -> Decimal:
        """Let makers come to a price without a trade; return what users took of it."""
        quote = Quote("BTCUSDT", side, Decimal(price), Decimal(quantity))
        return sum((listener(quote) for listener in self._quote_listeners), Decimal(0))

    def print(self, price: str, quantity: str = "1", *, seller_hits: bool = True) -> None:
        """Put one trade of others on the tape."""
        trade = Trade(
            "BTCUSDT", self.next_id, Decimal(price), Decimal(quantity), self.now_ms(), seller_hits
        )
        self.next_id += 1
        self.last = trade.price
        for listener in self._listeners:
            listener(trade)

    async def run(self) -> None:
        return

    def catch_up(self) -> None:
        return

    def describe(self) -> dict[str, dict[str, Any]]:
        return {"BTCUSDT": {"source": "fake"}}

    def set_price(self, symbol: str, price: Decimal) -> None:
        self.print(str(price))

    def set_path(self, symbol: str, path: Sequence[tuple[int, Decimal]]) -> None:
        for _, price in path:
            self.set_price(symbol, price)

    def snapshot(self) -> dict[str, Any]:
        return {}

    def restore(self, data: dict[str, Any]) -> None:
        return
