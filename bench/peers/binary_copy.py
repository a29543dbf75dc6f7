"""``python -m bench.peers.binary_copy``: candles by psycopg 3's binary COPY and a merge.

The quickest idempotent way into PostgreSQL that we know of. Its table has double precision where
ours has exact decimals, and no check on any row: a floor, not a competitor. Reads lines from
stdin: a file of rows; answers each with the seconds that storing them took.
"""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

_TYPES = ("int8", "text", "timestamptz", *["float8"] * 6, "int4", *["float8"] * 2)
_COLUMNS = (
    "instrument_id bigint, timeframe text, open_time timestamptz, open float8, high float8,"
    " low float8, close float8, volume float8, quote_volume float8, trade_count int,"
    " taker_buy_base float8, taker_buy_quote float8"
)


def main(address: str) -> None:
    """Serve until stdin ends."""
    with psycopg.connect(address) as connection:
        connection.execute(
            f"CREATE TABLE floor_copy ({_COLUMNS},"
            " PRIMARY KEY (instrument_id, timeframe, open_time))"
        )
        connection.execute(f"CREATE TEMPORARY TABLE floor_inbox ({_COLUMNS})")
        connection.commit()
        for line in sys.stdin:
            rows = [_typed(row) for row in json.loads(Path(line.strip()).read_text())]
            begun = time.perf_counter()
            _store(connection, rows)
            print(time.perf_counter() - begun, flush=True)


def _typed(row: list[Any]) -> tuple[Any, ...]:
    at = datetime.fromtimestamp(row[1] / 1000, UTC)
    numbers = [value if index == 6 else float(value) for index, value in enumerate(row[2:])]
    return (row[0], "1h", at, *numbers)


def _store(connection: psycopg.Connection[Any], rows: list[tuple[Any, ...]]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE floor_inbox")
        with cursor.copy("COPY floor_inbox FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(_TYPES)
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            "INSERT INTO floor_copy SELECT * FROM floor_inbox"
            " ON CONFLICT (instrument_id, timeframe, open_time) DO UPDATE SET"
            " (open, high, low, close, volume) = (excluded.open, excluded.high, excluded.low,"
            " excluded.close, excluded.volume)"
        )


if __name__ == "__main__":
    main(sys.argv[1])
