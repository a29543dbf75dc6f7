"""The one way from an approved order to the exchange: release, claim, send, protect."""

from collections.abc import Sequence

from core.clock import Clock
from core.crashpoints import crashpoint
from execution.ports import Broker
from execution.services.claims import Claim, claim_orders
from execution.services.exits import release_protection
from execution.services.protection import send_protection
from execution.services.second_tries import plan_second_tries
from execution.services.sending import Sent, send_claims


def send_orders(*, order_ids: Sequence[int], broker: Broker, clock: Clock) -> None:
    """Claim and send approved orders, then protect what they bought."""
    if not order_ids:
        return
    release_protection(order_ids=order_ids, broker=broker, clock=clock)
    send_claimed(claims=claim_orders(order_ids=order_ids, clock=clock), broker=broker, clock=clock)


def send_claimed(*, claims: Sequence[Claim], broker: Broker, clock: Clock) -> None:
    """Send orders whose claims are committed, then protect what they bought."""
    sent = _send(claims, broker=broker, clock=clock)
    again = plan_second_tries(sent=sent, broker=broker, clock=clock)
    if again:
        _send(claim_orders(order_ids=again, clock=clock), broker=broker, clock=clock)


def _send(claims: Sequence[Claim], *, broker: Broker, clock: Clock) -> Sent:
    crashpoint("claim.committed")
    sent = send_claims(claims=claims, broker=broker, clock=clock)
    send_protection(list_ids=sent.protect_ids, broker=broker, clock=clock)
    return sent
