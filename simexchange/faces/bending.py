"""What event faults make of a row of events: nothing, itself, twice, or after the next."""

from collections.abc import Callable
from typing import Any

from simexchange.faults import EVENT_FAULTS, Faults

Event = Any


class Bender:
    """Bends rows of events, each row by its own name.

    Args:
        faults: the rules in force.
        mute: keeps everything silent for so many wall milliseconds.
        naming: only rules whose match has this key apply.
    """

    def __init__(self, faults: Faults, mute: Callable[[float], None], *, naming: str = "") -> None:
        self.faults = faults
        self._mute = mute
        self._naming = naming
        self._held: dict[str, Event] = {}

    def bend(self, row: str, event: Event, seen: dict[str, str]) -> list[Event]:
        """Return what goes out in the place of an event."""
        held = self._held.pop(row, None)
        events = [event] if held is None else [event, held]
        if not self.faults.rules:
            return events
        rule = self.faults.take(seen, EVENT_FAULTS, naming=self._naming)
        if rule is None:
            return events
        if rule.name == "dup_event":
            return [event, *events]
        if rule.name == "reorder_events":
            self._held[row] = event
        if rule.name == "mute_stream":
            self._mute(float(rule.options["ms"]))
        return events[1:]
