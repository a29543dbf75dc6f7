"""What the engine and the faces may ask of a market, whatever feeds it."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol

Side = Literal["BUY", "SELL"]


class Trade(NamedTuple):
    """One print on the tape. Ids count up per symbol without a gap, own executions included."""

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    time_ms: int
    is_buyer_maker: bool


class Quote(NamedTuple):
    """What makers offer on `side` at their best price, at or beyond a user's resting order."""

    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal


class Instrument(NamedTuple):
    """What a symbol is made of: its assets and its grid."""

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    step_size: Decimal


class Market(Protocol):
    """One trade tape per symbol and the liquidity around its last price.

    Prices move only by trades of the tape: whoever follows `on_trade` has seen every move.
    All calls are synchronous and belong to the one event loop of the exchange.
    An unknown symbol raises KeyError.
    """

    symbols: tuple[str, ...]

    def instrument(self, symbol: str) -> Instrument:
        """Return the symbol's assets, tick size and step size."""

    def last_price(self, symbol: str) -> Decimal:
        """Return the price of the latest trade of the tape."""

    def best(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return best bid and best ask; bid < ask always."""

    def ladder(self, symbol: str, side: Side) -> Iterable[tuple[Decimal, Decimal]]:
        """Yield (price, quantity), best first.

        Args:
            symbol: which book.
            side: the maker's side: "SELL" are the asks that a BUY taker hits.
        """

    def quantity_at(self, symbol: str, side: Side, price: Decimal) -> Decimal:
        """Return what the ladder shows of the maker's `side` at exactly this price."""

    def average_price(self, symbol: str) -> Decimal:
        """Return the volume weighted price of the last five minutes."""

    def consume(
        self, symbol: str, side: Side, price: Decimal, quantity: Decimal, *, of_user: bool = False
    ) -> Trade:
        """Print a user's execution and take its quantity out of the ladder.

        The depth comes back with a half-life. `on_trade` subscribers are not called.

        Args:
            symbol: which book.
            side: the TAKER's side: "BUY" takes asks away, "SELL" bids.
            price: quote per base, on the tick.
            quantity: base units, on the step.
            of_user: the maker is a user's order: the ladder keeps its depth.

        Returns:
            The printed trade with its id and time.
        """

    def on_trade(self, callback: Callable[[Trade], None]) -> None:
        """Call `callback` with every tape trade that `consume` did not cause, in order."""

    def on_quote(self, callback: Callable[[Quote], Decimal]) -> None:
        """Call `callback` when makers come to users' resting orders without a trade of the tape.

        It returns how much of the quote was taken at exactly its price.
        """

    async def run(self) -> None:
        """Advance with the clock until cancelled."""

    def catch_up(self) -> None:
        """Play everything due by the clock's present; after `SimClock.advance` call this."""

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return per symbol where its prices come from, for ``GET /_sim/market``."""

    def set_price(self, symbol: str, price: Decimal) -> None:
        """Move the market to `price` now; the source goes on from there."""

    def set_path(self, symbol: str, path: Sequence[tuple[int, Decimal]]) -> None:
        """Walk the market along (milliseconds from now, price) points, then let the source go on.

        Raises:
            ValueError: on an empty path, times that do not ascend, or a price not above zero.
        """

    def snapshot(self) -> dict[str, Any]:
        """Return what an opening with the same options needs to go on, as JSON-able values."""
