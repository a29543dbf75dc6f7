"""Who listens to an account's events, and what faults do to the events on their way."""

import asyncio
from typing import Any

from simexchange.clock import SimClock
from simexchange.faces.bending import Bender
from simexchange.faults import Faults

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
        self.clock = clock
        self._listeners: dict[str, list[Subscription]] = {}
        self._bender = Bender(faults, self.mute)
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
        if self.clock.wall_ms() < self._mute_until_ms:
            return
        seen = {
            "event": event["e"],
            "execution_type": event.get("x", ""),
            "symbol": event.get("s", ""),
            "client_order_id": event.get("C") or event.get("c", ""),
        }
        for one in self._bender.bend(account, event, seen):
            for listener in listeners:
                listener.put(one)
