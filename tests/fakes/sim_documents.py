"""The official examples, held against what an exchange answers."""

import json
from pathlib import Path
from typing import Any

LEFT_OUT = {
    # Fields of examples that come only with what this exchange has not got, or only sometimes.
    "tradeGroupId",
    "icebergQty",
    "v",
}


def read_examples(shared_data: Path, name: str) -> dict[str, list[Any]]:
    """Return a document's examples by section, in their order."""
    path = shared_data / "payloads" / "binance_docs" / name
    found: dict[str, list[Any]] = {}
    for row in json.loads(path.read_text()):
        found.setdefault(row["section"].split(" > ")[-1], []).append(row["payload"])
    return found


def differences(documented: Any, ours: Any, path: str = "") -> list[str]:
    """Return where ours lacks a documented field or has another type."""
    if isinstance(documented, dict):
        if not isinstance(ours, dict):
            return [f"{path} is no object"]
        told = []
        for name, held in documented.items():
            if name not in ours:
                told += [] if name in LEFT_OUT else [f"{path}.{name} is missing"]
            else:
                told += differences(held, ours[name], f"{path}.{name}")
        return told
    if isinstance(documented, list):
        if not isinstance(ours, list):
            return [f"{path} is no array"]
        if not documented:
            return []
        if not ours:
            return [f"{path} is empty"]
        return differences(documented[0], twin(documented[0], ours), f"{path}[0]")
    if type(documented) is not type(ours):
        return [f"{path} was {ours!r}, documented as {documented!r}"]
    return []


def twin(documented: Any, ours: list[Any]) -> Any:
    """Return the element to compare: of filters the one of the same type, else the first."""
    if isinstance(documented, dict) and "filterType" in documented:
        return next(one for one in ours if one["filterType"] == documented["filterType"])
    return ours[0]
