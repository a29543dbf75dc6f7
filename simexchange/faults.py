"""Faults on demand: a list of rules, counted, each naming a way the exchange misbehaves."""

import random
import time
from collections.abc import Callable, Mapping
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
    {"method", "path", "client_order_id_prefix", "symbol", "event", "execution_type", "stream"}
)
"""`stream` is a market stream's name; only rules with it touch market streams."""
REQUIRED = {
    "delay": ("ms",),
    "http": ("status",),
    "not_found_for": ("ms",),
    "mute_stream": ("ms",),
    "ban": ("seconds",),
    "clock_offset": ("ms",),
    "filters": ("symbol", "filters"),
}
KINDS: dict[str, tuple[type, ...]] = {
    "ms": (int, float),
    "seconds": (int, float),
    "status": (int,),
    "code": (int, type(None)),
    "msg": (str,),
    "accepted": (bool,),
    "retry_after": (int, float),
    "when": (str,),
    "symbol": (str,),
    "filters": (list,),
    "announce": (bool,),
}
"""Options by name, and what they may be."""
DAY_MS = 86_400_000
BOUNDS: dict[str, tuple[float, float]] = {
    "ms": (0, DAY_MS),
    "seconds": (0, 3 * DAY_MS / 1000),
    "status": (200, 599),
    "retry_after": (0, DAY_MS / 1000),
}
"""What numbers must lie between; a clock may be off either way."""
WHENS = ("after", "before", "engine")
SCRIPT = {"skip": 0, "probability": 1.0, "seed": 0, "after_ms": 0, "for_ms": 0}
"""When a rule that fits is let fire: see `Fault`."""
RESERVED = frozenset({"fault", "match", "times", "fired", "seen", "with"} | SCRIPT.keys())


@dataclass(slots=True)
class Fault:
    """One rule: what it matches, what it does, how often still.

    Attributes:
        name: the fault.
        match: what must agree; an empty one fits everything of its kind.
        times: how often it fires; 0 is for ever.
        options: the fault's own settings.
        script: `skip` lets so many that fit pass first; `probability` fires that share of them,
            drawn with `seed`; `after_ms` and `for_ms` bound it in wall time since it was set.
        companions: faults that befall the same request together with it.
        fired: how often it has fired.
        seen: how often it fitted while in force.
        set_ms: wall time when it was set.
    """

    name: str
    match: dict[str, str]
    times: int
    options: dict[str, Any]
    script: dict[str, float] = field(default_factory=lambda: dict(SCRIPT))
    companions: list["Fault"] = field(default_factory=list)
    fired: int = 0
    seen: int = 0
    set_ms: float = 0.0
    _dice: random.Random | None = None

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

    def is_in_force(self, wall_ms: float) -> bool:
        """Tell whether its time has come and not passed."""
        passed_ms = wall_ms - self.set_ms - self.script["after_ms"]
        return passed_ms >= 0 and not passed_ms >= self.script["for_ms"] > 0

    def fires(self) -> bool:
        """Count something that fits and tell whether it is befallen."""
        self.seen += 1
        if self.seen <= self.script["skip"]:
            return False
        if self.script["probability"] < 1.0:
            if self._dice is None:
                self._dice = random.Random(int(self.script["seed"]))  # noqa: S311 - not a secret
            if self._dice.random() >= self.script["probability"]:
                return False
        self.fired += 1
        return True

    def describe(self) -> dict[str, Any]:
        told = {
            "fault": self.name,
            "match": self.match,
            "times": self.times,
            "fired": self.fired,
            "seen": self.seen,
            **{name: held for name, held in self.script.items() if held != SCRIPT[name]},
            **self.options,
        }
        if self.companions:
            told["with"] = [one.describe() for one in self.companions]
        return told


def read_fault(data: Any) -> Fault:
    """Return the rule a control call describes.

    Raises:
        ValueError: with what is wrong about it.
    """
    if not isinstance(data, dict):
        raise ValueError(f"a fault is an object, was {data!r}")
    name = data.get("fault")
    if not isinstance(name, str) or name not in ALL_FAULTS:
        raise ValueError(f"fault must be one of {', '.join(sorted(ALL_FAULTS))}, was {name!r}")
    match = data.get("match", {})
    if (
        not isinstance(match, dict)
        or not set(match) <= MATCH_KEYS
        or not all(isinstance(wanted, str) for wanted in match.values())
    ):
        raise ValueError(f"match takes texts of {', '.join(sorted(MATCH_KEYS))}, was {match!r}")
    times = data.get("times", 1)
    if not isinstance(times, int) or isinstance(times, bool) or times < 0:
        raise ValueError(f"times must be a count, 0 for ever, was {times!r}")
    return Fault(
        name,
        dict(match),
        times,
        _read_options(name, data),
        _read_script(data),
        _read_companions(name, data.get("with", [])),
    )


def _read_options(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    options = {key: held for key, held in data.items() if key not in RESERVED}
    for key in REQUIRED.get(name, ()):
        if key not in options:
            raise ValueError(f"fault {name} needs {key}")
    for key, held in options.items():
        kinds = KINDS.get(key)
        if kinds is None:
            raise ValueError(f"fault {name} takes no {key}; options are {', '.join(KINDS)}")
        if not isinstance(held, kinds) or (isinstance(held, bool) and bool not in kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise ValueError(f"{key} of fault {name} must be {wanted}, was {held!r}")
        _check_bounds(name, key, held)
    return options


def _check_bounds(name: str, key: str, held: Any) -> None:
    if key == "when" and held not in WHENS:
        raise ValueError(f"when of fault {name} is one of {', '.join(WHENS)}, was {held!r}")
    if key not in BOUNDS:
        return
    low, high = BOUNDS[key]
    if name == "clock_offset":
        low = -high
    if not low <= held <= high:
        raise ValueError(f"{key} of fault {name} must lie from {low:g} to {high:g}, was {held!r}")


def _read_script(data: Mapping[str, Any]) -> dict[str, float]:
    script: dict[str, float] = dict(SCRIPT)
    for key, usual in SCRIPT.items():
        held = data.get(key, usual)
        if not isinstance(held, int | float) or isinstance(held, bool) or held < 0:
            raise ValueError(f"{key} must be a number at or above zero, was {held!r}")
        script[key] = held
    if script["probability"] > 1:
        raise ValueError(f"probability must lie between 0 and 1, was {script['probability']}")
    return script


def _read_companions(name: str, listed: Any) -> list[Fault]:
    if not isinstance(listed, list):
        raise ValueError(f"with is a list of faults, was {listed!r}")
    companions = [read_fault(one) for one in listed]
    together = REQUEST_FAULTS | INSTANT_FAULTS
    for one in companions:
        if name not in REQUEST_FAULTS or one.name not in together or one.companions:
            raise ValueError(f"{one.name} cannot befall a request together with {name}")
    return companions


def read_wall_ms() -> float:
    """Return the machine's time in milliseconds."""
    return time.time() * 1000.0


class Faults:
    """The rules in force, and what fired.

    Args:
        wall_ms: reads the wall clock in milliseconds.
    """

    def __init__(self, wall_ms: Callable[[], float] = read_wall_ms) -> None:
        self.rules: list[Fault] = []
        self._wall_ms = wall_ms

    def add(self, rules: list[Fault]) -> None:
        for rule in rules:
            rule.set_ms = self._wall_ms()
        self.rules.extend(rules)

    def clear(self) -> None:
        self.rules.clear()

    def take(
        self, seen: Mapping[str, str], names: frozenset[str], *, naming: str = ""
    ) -> Fault | None:
        """Return the first live rule of these names that fits and fires, and count it.

        Args:
            seen: what there is to match.
            names: faults that may befall it.
            naming: only rules whose match has this key.
        """
        for rule in self.rules:
            if rule.name not in names or rule.is_spent or (naming and naming not in rule.match):
                continue
            if rule.is_in_force(self._wall_ms()) and rule.fits(seen) and rule.fires():
                for one in rule.companions:
                    one.fired += 1
                return rule
        return None

    def describe(self) -> list[dict[str, Any]]:
        return [rule.describe() for rule in self.rules]
