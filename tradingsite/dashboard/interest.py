"""Which messages one connection wants."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput

CHANNELS = (
    *("alert", "candle", "component", "decision", "equity", "fill", "order", "position"),
    *("prediction", "risk_state", "ticker", "training"),
)
MAX_NAMES = 1000
_SYMBOL = re.compile(r"[A-Z0-9]{1,32}", re.ASCII)
# Sections of the snapshot that belong to a channel; the others are always there.
_CHANNEL_OF = {
    "alerts": "alert",
    "candles": "candle",
    "components": "component",
    "decisions": "decision",
    "equity": "equity",
    "fills": "fill",
    "metrics": "equity",
    "positions": "position",
    "predictions": "prediction",
    "prices": "ticker",
    "risk": "risk_state",
}


@dataclass(frozen=True, slots=True)
class Interest:
    """Channels and symbols; None means all. What has no symbol concerns everybody."""

    channels: frozenset[str] | None = None
    symbols: frozenset[str] | None = None

    def wants(self, message: Mapping[str, Any]) -> bool:
        """Tell whether a live message is for this connection."""
        if self.channels is not None and message["type"] not in self.channels:
            return False
        return self._wants_symbol(message.get("symbol"))

    def of_snapshot(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of a snapshot that is wanted."""
        channels = self.channels
        return {
            name: self._of_section(name, section)
            for name, section in data.items()
            if channels is None or _CHANNEL_OF.get(name) in channels or name not in _CHANNEL_OF
        }

    def _of_section(self, name: str, section: Any) -> Any:
        if name == "prices":
            return {
                symbol: price for symbol, price in section.items() if self._wants_symbol(symbol)
            }
        if isinstance(section, list):
            return [row for row in section if self._wants_symbol(row.get("symbol"))]
        return section

    def _wants_symbol(self, symbol: str | None) -> bool:
        return self.symbols is None or symbol is None or symbol in self.symbols


def read_interest(message: Mapping[str, Any]) -> Interest:
    """Return what a ``subscribe`` asks for.

    Raises:
        InvalidInput: A list that is none, is too long, or names what cannot exist.
    """
    channels = _names(message, "channels")
    symbols = _names(message, "symbols")
    for name in channels or ():
        if name not in CHANNELS:
            raise InvalidInput(
                f"There is no channel {name[:32]!r}; there are {', '.join(CHANNELS)}.",
                field="channels",
                value=name[:32],
            )
    for name in symbols or ():
        if not _SYMBOL.fullmatch(name):
            raise InvalidInput(
                f"{name[:32]!r} is no symbol; write capitals without a separator, as in BTCUSDT.",
                field="symbols",
                value=name[:32],
            )
    return Interest(channels, symbols)


def _names(message: Mapping[str, Any], field: str) -> frozenset[str] | None:
    value = message.get(field)
    if value is None:
        return None
    is_list = isinstance(value, list) and all(isinstance(name, str) for name in value)
    if not is_list or len(value) > MAX_NAMES:
        raise InvalidInput(f"{field} must be a list of at most {MAX_NAMES} names.", field=field)
    return frozenset(value)
