"""What a stream is: a name, a payload, and when it has something new to say."""

from enum import Enum
from typing import Any

from simexchange.market.floor import Floor
from simexchange.market.symbolstate import SymbolState

Payload = dict[str, Any] | list[Any]


class Beat(Enum):
    """When a topic is asked for news."""

    PRINT = "with every print"
    TOUCH = "when the best prices move"
    FAST = "every 100 ms of wall time"
    SECOND = "every second of wall time"
    CANDLE = "every two seconds of wall time, and at a candle's close"
    BORDER = "once for every second of exchange time"


class Topic:
    """One stream. `news` returns what is new since it was asked last, None when nothing is."""

    beat: Beat

    def __init__(self, name: str, market: Floor, symbol: str) -> None:
        self.name = name
        self.symbol = symbol
        self.market = market

    @property
    def state(self) -> SymbolState:
        """The symbol's state; looked up each time, a restored market has new ones."""
        return self.market.states[self.symbol]

    def news(self, now_ms: int) -> Payload | None:
        """Return the payload to publish now."""
        raise NotImplementedError
