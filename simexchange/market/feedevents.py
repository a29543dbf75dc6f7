"""What a real exchange's streams say, as events in a symbol's integers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from simexchange.market.bars import (
    COUNT,
    QUOTE,
    SOURCE_COLUMNS,
    TAKER,
    TAKER_QUOTE,
    VOLUME,
)
from simexchange.market.grid import Grid
from simexchange.market.publicbook import Level


class FedTrade(NamedTuple):
    """One trade of the venue's tape."""

    symbol: str
    ticks: int
    units: int
    time_ms: int
    is_buyer_maker: bool
    trades: int = 1


class FedSnapshot(NamedTuple):
    """The whole book."""

    symbol: str
    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class FedDiff(NamedTuple):
    """Changed levels between two update ids, both included."""

    symbol: str
    first_id: int
    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class FedTouch(NamedTuple):
    """The best prices."""

    symbol: str
    update_id: int
    bid: Level
    ask: Level


class FedCandle(NamedTuple):
    """A candle as the venue has it, nine columns."""

    symbol: str
    open_ms: int
    row: tuple[int, ...]
    is_closed: bool


Fed = FedTrade | FedSnapshot | FedDiff | FedTouch | FedCandle


def read_message(grid: Grid, data: Mapping[str, Any]) -> Fed | None:
    """Return the event of a raw stream payload, None for one that is not followed here.

    Raises:
        KeyError, ValueError, ArithmeticError: when a payload is not what its name says.
    """
    kind = data.get("e")
    if kind == "trade":
        return FedTrade(
            grid.symbol, grid.ticks(Decimal(data["p"])), units(grid, data["q"]), data["T"],
            data["m"],
        )  # fmt: skip
    if kind == "depthUpdate":
        sides = levels(grid, data["b"]), levels(grid, data["a"])
        return FedDiff(grid.symbol, data["U"], data["u"], *sides)
    if kind == "kline":
        return read_kline(grid, data["k"])
    if kind is None and "b" in data and "B" in data:
        bid, ask = ((data["b"], data["B"]),), ((data["a"], data["A"]),)
        return FedTouch(grid.symbol, data["u"], levels(grid, bid)[0], levels(grid, ask)[0])
    return None


def read_snapshot(grid: Grid, data: Mapping[str, Any]) -> FedSnapshot:
    """Return the event of a ``GET depth`` reply."""
    sides = levels(grid, data["bids"]), levels(grid, data["asks"])
    return FedSnapshot(grid.symbol, data["lastUpdateId"], *sides)


def read_kline(grid: Grid, kline: Mapping[str, Any]) -> FedCandle:
    """Return the event of a kline stream's candle."""
    prices = (kline["o"], kline["h"], kline["l"], kline["c"])
    amounts = (kline["v"], kline["q"], kline["V"], kline["Q"])
    row = candle_row(grid, prices, amounts, kline["n"])
    return FedCandle(grid.symbol, kline["t"], row, kline["x"])


def candle_row(
    grid: Grid, prices: Iterable[str], amounts: Sequence[str], trades: int
) -> tuple[int, ...]:
    """Return nine columns of o, h, l, c and volume, quote volume, taker and taker quote volume."""
    row = [grid.ticks(Decimal(price)) for price in prices]
    row += [0] * (SOURCE_COLUMNS - len(row))
    volume, quote, taker, taker_quote = amounts
    row[VOLUME], row[TAKER] = units(grid, volume), units(grid, taker)
    row[QUOTE], row[TAKER_QUOTE] = quote_units(grid, quote), quote_units(grid, taker_quote)
    row[COUNT] = trades
    return tuple(row)


def units(grid: Grid, text: str) -> int:
    """Return a quantity in volume units."""
    return grid.units(Decimal(text))


def quote_units(grid: Grid, text: str) -> int:
    """Return a quote amount in quote units."""
    return int(Decimal(text).scaleb(grid.quote_decimals).to_integral_value())


def levels(grid: Grid, pairs: Iterable[Sequence[str]]) -> tuple[Level, ...]:
    """Return levels of [price, quantity] texts."""
    return tuple((grid.ticks(Decimal(price)), units(grid, quantity)) for price, quantity in pairs)


class BookSync:
    """Puts a symbol's snapshot and diffs together by the venue's published rules.

    Diffs wait until there is a snapshot; those it covers are dropped; a gap afterwards means that
    a new snapshot is needed.
    """

    def __init__(self) -> None:
        self._last_id: int | None = None
        self._waiting: list[FedDiff] = []

    @property
    def needs_snapshot(self) -> bool:
        """Whether nothing can be applied until a snapshot comes."""
        return self._last_id is None

    def lose(self) -> None:
        """Forget where the book stood: the line was down."""
        self._last_id = None
        self._waiting.clear()

    def take(self, event: Fed) -> Iterator[Fed]:
        """Yield what can be applied now that the event came; others pass through."""
        if isinstance(event, FedSnapshot):
            yield from self._start(event)
        elif isinstance(event, FedDiff):
            yield from self._diff(event)
        elif not isinstance(event, FedTouch) or self._is_news(event):
            yield event

    def _is_news(self, touch: FedTouch) -> bool:
        return self._last_id is not None and touch.update_id > self._last_id

    def _start(self, snapshot: FedSnapshot) -> Iterator[Fed]:
        waiting, self._waiting = self._waiting, []
        if waiting and waiting[0].first_id > snapshot.update_id + 1:
            self._waiting = waiting  # older than the first diff: another one is needed
            return
        self._last_id = snapshot.update_id
        yield snapshot
        for diff in waiting:
            yield from self._diff(diff)

    def _diff(self, diff: FedDiff) -> Iterator[Fed]:
        if self._last_id is None:
            self._waiting.append(diff)
        elif diff.update_id <= self._last_id:
            return
        elif diff.first_id > self._last_id + 1:
            self.lose()
            self._waiting.append(diff)
        else:
            self._last_id = diff.update_id
            yield diff
