"""Faults on demand: a list of rules, counted, each naming a way the exchange misbehaves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REQUEST_FAULTS = frozenset(
    {
        "accept_then_drop_reply",
        "drop_before_accept",
        "delay",
        "http",
        "truncate_reply",
        "not_found_for",
    }
)
"""What happens to a request; applied by the REST and the WebSocket API faces."""
EVENT_FAULTS = frozenset({"dup_event", "reorder_events", "drop_event", "mute_stream"})
"""What happens to a user event on its way out."""
INSTANT_FAULTS = frozenset({"cut_streams", "ban", "clock_offset", "filters"})
"""What happens at once when the rule has no match, else when a matching request comes."""
AT_ONCE_WITHOUT_MATCH = INSTANT_FAULTS | {"mute_stream"}
"""A silence without a match falls on all streams at once."""
ALL_FAULTS = REQUEST_FAULTS | EVENT_FAULTS | INSTANT_FAULTS
MATCH_KEYS = frozenset(
    {"method", "path", "client_order_id_prefix", "symbol", "event", "execution_type"}
)
REQUIRED = {
    "delay": ("ms",),
    "http": ("status",),
    "not_found_for": ("ms",),
    "mute_stream": ("ms",),
    "ban": ("seconds",),
    "clock_offset": ("ms",),
    "filters": ("symbol", "filters"),
}


@dataclass(slots=True)
class Fault:
    """One rule: what it matches, what it does, how often still."""

    name: str
    match: dict[str, str]
    times: int
    options: dict[str, Any]
    fired: int = 0
    first_fired_ms: float = field(default=-1.0)

    @property
    def is_spent(self) -> bool:
        return self.fired >= self.times > 0

    def fits(self, seen: Mapping[str, str]) -> bool:
        """Tell whether all of the match's parts agree with what is seen."""
        for key, wanted in self.match.items():
            if key == "client_order_id_prefix":
                if not seen.get("client_order_id", "").startswith(wanted):
                    return False
            elif seen.get(key, "") != wanted:
                return False
        return True

    def describe(self) -> dict[str, Any]:
        return {
            "fault": self.name,
            "match": self.match,
            "times": self.times,
            "fired": self.fired,
            **self.options,
        }


def read_fault(data: Any) -> Fault:
    """Return the rule a control call describes.

    Raises:
        ValueError: with what is wrong about it.
    """
    if not isinstance(data, dict):
        raise ValueError(f"a fault is an object, was {data!r}")
    name = data.get("fault")
    if name not in ALL_FAULTS:
        raise ValueError(f"fault must be one of {', '.join(sorted(ALL_FAULTS))}, was {name!r}")
    match = data.get("match", {})
    if not isinstance(match, dict) or not set(match) <= MATCH_KEYS:
        raise ValueError(f"match takes {', '.join(sorted(MATCH_KEYS))}, was {match!r}")
    options = {k: v for k, v in data.items() if k not in {"fault", "match", "times", "fired"}}
    for key in REQUIRED.get(name, ()):
        if key not in options:
            raise ValueError(f"fault {name} needs {key}")
    times = data.get("times", 1)
    if not isinstance(times, int) or times < 0:
        raise ValueError(f"times must be a count, 0 for ever, was {times!r}")
    return Fault(name, {k: str(v) for k, v in match.items()}, times, options)


class Faults:
    """The rules in force, and what fired."""

    def __init__(self) -> None:
        self.rules: list[Fault] = []

    def add(self, rules: list[Fault]) -> None:
        self.rules.extend(rules)

    def clear(self) -> None:
        self.rules.clear()

    def take(self, seen: Mapping[str, str], names: frozenset[str]) -> Fault | None:
        """Return the first live rule of these names that fits, and count it."""
        for rule in self.rules:
            if rule.name in names and not rule.is_spent and rule.fits(seen):
                rule.fired += 1
                return rule
        return None

    def describe(self) -> list[dict[str, Any]]:
        return [rule.describe() for rule in self.rules]
