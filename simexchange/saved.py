"""What a state file holds, read back."""

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from simexchange.engine import saving
from simexchange.engine.ledger import Ledger
from simexchange.journal import read_journal

FORMAT = 2
"""Of the state file. 1 had no word of its format; much of it can be read still."""
FORMAT_RECORD = {"k": "format", "version": FORMAT}
LARGEST_JSON = 2**63 - 1


def candle_record(symbol: str, open_ms: int, row: list[int]) -> dict[str, Any]:
    """Return the record of a closed candle; what is too large for JSON's integers is text."""
    cells = [cell if cell <= LARGEST_JSON else str(cell) for cell in row]
    return {"k": "candle", "symbol": symbol, "row": [open_ms, *cells]}


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
        self.format = 1
        self._path = path
        with self.naming_the_file():
            for record in read_journal(path) if path else ():
                self._take(record)

    @contextlib.contextmanager
    def naming_the_file(self) -> Iterator[None]:
        """Let what is wrong with the file's content say which file it is and what to do.

        Raises:
            ValueError: in the place of what came.
        """
        try:
            yield
        except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            file = shlex.quote(str(self._path))
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            if isinstance(error, KeyError):
                reason = f"a record has no {error.args[0]}"
            raise ValueError(
                f"{self._path} (format {self.format}; this program writes {FORMAT}) cannot be "
                f"taken up: {reason}. Nothing in it was changed. To keep it and start with new "
                f"books: mv {file} {file}.old (of a demo move its whole DATA_DIR: the database "
                "belongs to it)"
            ) from error

    def _take(self, record: dict[str, Any]) -> None:
        if record["k"] == "format":
            self.format = int(record["version"])
            if self.format > FORMAT:
                raise ValueError("it is of a newer program")
        saving.apply(self.ledger, record)
        self.now_ms = max(self.now_ms, record.get("t", 0))
        if record["k"] == "symbol":
            self.symbols[record["symbol"]] = record
        elif record["k"] == "rules":
            self.rules = record
        elif record["k"] == "candle":
            self.keep_candle(record)
        elif record["k"] == "market":
            self.market = record["market"]
            self.now_ms = max(self.now_ms, record["market"]["now_ms"])

    def keep_candle(self, record: dict[str, Any]) -> None:
        """Remember a candle that users or hands made differ."""
        self.candles.setdefault(record["symbol"], {})[record["row"][0]] = record["row"]

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
