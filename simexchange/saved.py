"""What a state file holds, read back."""

from pathlib import Path
from typing import Any

from simexchange.engine import saving
from simexchange.engine.ledger import Ledger
from simexchange.journal import read_journal


class Saved:
    """The ledger, the symbols' rules, the market and the time of an earlier life.

    Args:
        path: the state file; None for none.
        seed: of ids to come.
    """

    def __init__(self, path: Path | None, seed: int) -> None:
        self.ledger = Ledger(seed)
        self.symbols: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, Any] = {}
        self.market: dict[str, Any] | None = None
        self.candles: dict[str, dict[int, list[int]]] = {}
        self.now_ms = 0
        for record in read_journal(path) if path else ():
            try:
                self._take(record)
            except (KeyError, TypeError) as error:
                raise ValueError(
                    f"{path} holds a record this version cannot read ({error!r}); "
                    "choose another --state"
                ) from error

    def _take(self, record: dict[str, Any]) -> None:
        saving.apply(self.ledger, record)
        self.now_ms = max(self.now_ms, record.get("t", 0))
        if record["k"] == "symbol":
            self.symbols[record["symbol"]] = record
        elif record["k"] == "rules":
            self.rules = record
        elif record["k"] == "candle":
            self.candles.setdefault(record["symbol"], {})[record["row"][0]] = record["row"]
        elif record["k"] == "market":
            self.market = record["market"]
            self.now_ms = max(self.now_ms, record["market"]["now_ms"])

    def market_at(self, now_ms: int) -> dict[str, Any] | None:
        """Return the market's snapshot at `now_ms`, no trade id of ours left to be used again."""
        if self.market is None:
            return None
        for (_, symbol), fills in self.ledger.fills.items():
            kept = self.market["symbols"][symbol]
            used = max((fill.trade_id for fill in fills), default=0)
            kept["next_id"] = max(kept["next_id"], used + 1)
        candles = {symbol: list(rows.values()) for symbol, rows in self.candles.items()}
        return {**self.market, "now_ms": now_ms, "candles": candles}

    def candle_records(self) -> list[dict[str, Any]]:
        """Return the journal's records of candles that users or hands made differ."""
        return [
            {"k": "candle", "symbol": symbol, "row": row}
            for symbol, rows in self.candles.items()
            for row in rows.values()
        ]
