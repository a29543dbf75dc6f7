"""Who listens to an account's events, and what faults do to the events on their way."""

import asyncio
from typing import Any

from simexchange.clock import SimClock
from simexchange.faults import EVENT_FAULTS, Faults

Outbox = asyncio.Queue[dict[str, Any]]


class Subscription:
    """One account's events on one connection."""

    def __init__(self, subscription_id: int, account: str, outbox: Outbox) -> None:
        self.subscription_id = subscription_id
        self.account = account
        self.outbox = outbox

    def put(self, event: dict[str, Any]) -> None:
        self.outbox.put_nowait({"subscriptionId": self.subscription_id, "event": event})


class UserStreams:
    """Hands each account's events to its subscriptions, in order, without waiting for anyone."""

    def __init__(self, faults: Faults, clock: SimClock) -> None:
        self.faults = faults
        self.clock = clock
        self._listeners: dict[str, list[Subscription]] = {}
        self._held: dict[str, dict[str, Any]] = {}
        self._mute_until_ms = 0.0

    def add(self, subscription: Subscription) -> None:
        self._listeners.setdefault(subscription.account, []).append(subscription)

    def remove(self, subscription: Subscription) -> None:
        self._listeners[subscription.account].remove(subscription)

    def mute(self, ms: float) -> None:
        """Lose every event for so many wall milliseconds; 0 ends a silence."""
        self._mute_until_ms = self.clock.wall_ms() + ms

    def publish(self, account: str, event: dict[str, Any]) -> None:
        """Send an event to everyone who listens to the account."""
        listeners = self._listeners.get(account)
        if not listeners:
            return
        for one in self._bend(account, event):
            for listener in listeners:
                listener.put(one)

    def _bend(self, account: str, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Return what a fault leaves of the event: nothing, itself, twice, or after the next."""
        if self.clock.wall_ms() < self._mute_until_ms:
            return []
        held = self._held.pop(account, None)
        events = [event] if held is None else [event, held]
        if not self.faults.rules:
            return events
        seen = {
            "event": event["e"],
            "execution_type": event.get("x", ""),
            "symbol": event.get("s", ""),
            "client_order_id": event.get("C") or event.get("c", ""),
        }
        rule = self.faults.take(seen, EVENT_FAULTS)
        if rule is None:
            return events
        if rule.name == "dup_event":
            return [event, *events]
        if rule.name == "reorder_events":
            self._held[account] = event
        if rule.name == "mute_stream":
            self.mute(float(rule.options["ms"]))
        return events[1:]
