"""Decisions, intents and ledger of an account as lines of text: what a replay must give again."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any

from django.apps import apps

TABLES = (
    *("Decision", "Order", "SubmitAttempt", "Fill", "LedgerEntry"),
    *("Position", "Balance", "Reconciliation", "Difference"),
)
# Predictions are numbered by whoever stores them, those of challengers too: named instead.
_PREDICTION = ("model_version_id", "instrument_id", "close_time")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDifference:
    """The first row that is not the same."""

    table: str
    row: str
    column: str
    recorded: Any
    replayed: Any


def list_lines() -> Iterator[str]:
    """Yield one line per row, by table and key: ``[table, id, {column: text}]``."""
    for name in TABLES:
        model = apps.get_model("execution", name)
        rows = model._default_manager.order_by("pk")
        if name == "Decision":
            rows = rows.select_related("prediction")
        columns = [field.attname for field in model._meta.concrete_fields if field.name != "id"]
        for row in rows.iterator(chunk_size=2000):
            values = {column: _plain(getattr(row, column)) for column in columns}
            if name == "Decision":
                values["prediction_id"] = _name_prediction(row.prediction)
            yield json.dumps([name, row.pk, values], sort_keys=True, ensure_ascii=True)


def _name_prediction(prediction: Any) -> Any:
    return prediction and [_plain(getattr(prediction, name)) for name in _PREDICTION]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat() if isinstance(value, datetime) else value


def write(path: Path) -> int:
    """Write the configured database's lines; return how many there are."""
    count = 0
    partial = path.with_name(path.name + ".part")
    with gzip.open(partial, "wt", encoding="utf-8", compresslevel=6) as file:
        for line in list_lines():
            file.write(line + "\n")
            count += 1
    partial.rename(path)
    return count


def read(path: Path) -> Iterator[str]:
    """Yield the lines that `write` wrote."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def compare(recorded: Iterator[str], replayed: Iterator[str]) -> tuple[int, RowDifference | None]:
    """Return how many rows are the same, and the first that is not."""
    same = 0
    for theirs, ours in zip_longest(recorded, replayed):
        if theirs != ours:
            return same, _difference(theirs, ours)
        same += 1
    return same, None


def _difference(theirs: str | None, ours: str | None) -> RowDifference:
    left = json.loads(theirs) if theirs else None
    right = json.loads(ours) if ours else None
    if left is None or right is None or left[:2] != right[:2]:
        table, key = (left or right or ["", ""])[:2]
        return RowDifference(table=table, row=str(key), column="", recorded=left, replayed=right)
    column = next(name for name in left[2] if left[2][name] != right[2].get(name))
    return RowDifference(
        table=left[0],
        row=str(left[1]),
        column=column,
        recorded=left[2][column],
        replayed=right[2].get(column),
    )
