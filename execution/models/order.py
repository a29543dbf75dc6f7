"""Orders and every attempt to send or cancel one."""

from django.db import models

from core.fields import ExactDecimalField, positive
from execution.domain.order import (
    ATTACHED,
    BRACKET,
    LIVE_STATES,
    UNRESOLVED_STATES,
    Leg,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
)


def _choices(enum: type) -> list[tuple[str, str]]:
    return [(member.value, member.value) for member in enum]  # type: ignore[attr-defined]


class Order(models.Model):
    """One order that we want, wanted or found: from the approved intent to its last fill.

    Inserted by the gate as APPROVED or DENIED, moved only along ``execution.domain.order``'s
    table by compare-and-swap, never deleted. A list (an OCO) is one row that stands for all of
    it, and one row, with this one as its parent, for each of its legs. A pair that the exchange
    places by itself once its entry is filled (an OTOCO) is such a list; the entry is its `working`.
    """

    account = models.ForeignKey("execution.Account", on_delete=models.PROTECT)
    instrument = models.ForeignKey("markets.Instrument", on_delete=models.PROTECT, related_name="+")
    strategy = models.ForeignKey("execution.Strategy", on_delete=models.PROTECT, null=True)
    decision = models.ForeignKey(
        "execution.Decision", on_delete=models.PROTECT, null=True, related_name="orders"
    )
    # The round trip that an exit or a protective pair belongs to; entries open or enlarge one.
    position = models.ForeignKey(
        "execution.Position", on_delete=models.PROTECT, null=True, related_name="orders"
    )
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="legs")
    # Of a protective pair: the entry in whose request it went, and whose fill brings it to life.
    working = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="pending"
    )
    # The order that this one takes the place of: a resting one that it replaces, or one that the
    # exchange refused and that is asked for once more.
    supersedes = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    # The gate's name of the wish; legs of lists have none.
    intent_key = models.CharField(max_length=120, blank=True)
    leg = models.CharField(max_length=16, choices=_choices(Leg))
    attempt = models.PositiveSmallIntegerField(default=1)
    client_order_id = models.CharField(max_length=36, unique=True)
    # What the user sent to have a POST repeated safely; unique per account.
    idempotency_key = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - NULLs are not equal
    side = models.CharField(max_length=4, choices=_choices(Side))
    type = models.CharField(max_length=20, choices=_choices(OrderType))
    time_in_force = models.CharField(max_length=4, choices=_choices(TimeInForce), blank=True)
    quantity = ExactDecimalField()
    price = ExactDecimalField(null=True, blank=True)
    stop_price = ExactDecimalField(null=True, blank=True)
    # An OCO's stop leg sells at this limit once triggered; empty: at the market.
    leg_limit_price = ExactDecimalField(null=True, blank=True)
    # A trailing stop's distance from the best price since its start, hundredths of 1 %.
    trailing_delta_bps = models.PositiveSmallIntegerField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=_choices(OrderState))
    reason = models.CharField(max_length=48, blank=True)
    # What the reason rests on: the denied check's figures, the exchange's message.
    context = models.JSONField(default=dict, blank=True)
    venue_order_id = models.BigIntegerField(null=True, blank=True)
    venue_list_id = models.BigIntegerField(null=True, blank=True)
    filled_quantity = ExactDecimalField(default=0)
    filled_quote = ExactDecimalField(default=0)
    reserved_asset = models.CharField(max_length=16, blank=True)
    reserved_quantity = ExactDecimalField(default=0)
    # The kill switches that it stands under beside the global one, such as symbol:BTCUSDT.
    scopes = models.JSONField(default=list, blank=True)
    approved_epoch = models.BigIntegerField(default=0)
    is_reduce_only = models.BooleanField(default=False)
    expires_at = models.DateTimeField()
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    # When it came to its end, once; late news does not move it.
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "orders"
        constraints = [
            models.UniqueConstraint(
                fields=["decision", "leg", "attempt"], name="order_once_per_leg"
            ),
            models.UniqueConstraint(
                fields=["account", "idempotency_key"], name="order_once_per_key"
            ),
            models.UniqueConstraint(
                fields=["account", "instrument", "venue_order_id"], name="order_once_at_venue"
            ),
            # At most one entry in doubt per symbol: nothing new before it is resolved.
            models.UniqueConstraint(
                fields=["account", "instrument"],
                name="order_one_unresolved_entry",
                condition=models.Q(
                    leg=Leg.ENTRY.value, state__in=[s.value for s in sorted(UNRESOLVED_STATES)]
                ),
            ),
            # An order is replaced by one at a time.
            models.UniqueConstraint(
                fields=["supersedes"],
                name="order_one_live_successor",
                condition=models.Q(state__in=[s.value for s in sorted(LIVE_STATES)]),
            ),
            positive("quantity", name="order_quantity_positive"),
        ]
        indexes = [
            models.Index(fields=["state", "updated_at"], name="order_by_state"),
            models.Index(fields=["-created_at", "-id"], name="order_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.client_order_id} {self.side} {self.quantity} {self.state}"

    @property
    def is_attached(self) -> bool:
        """Whether it is somebody else's, given to a position or a strategy by a person."""
        return self.leg == Leg.EXTERNAL.value and ATTACHED in self.context

    @property
    def has_bracket(self) -> bool:
        """Whether it is an entry that a person gave a stop and a target."""
        return BRACKET in self.context


class SubmitAttempt(models.Model):
    """The write-ahead record of one request that may change something at the exchange.

    Committed as SENDING before the first byte leaves; its outcome is written once, with the
    evidence. No request exists at the exchange without such a row.
    """

    class Kind(models.TextChoices):
        SUBMIT = "SUBMIT"
        CANCEL = "CANCEL"
        AMEND = "AMEND"

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="attempts")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    number = models.PositiveSmallIntegerField(default=1)
    epoch = models.BigIntegerField()
    # The request's timestamp: the exchange refuses it once it is older than its receive window.
    signed_at = models.DateTimeField()
    # After this exchange time a request that is nowhere to be seen was not accepted.
    fence_at = models.DateTimeField()
    request_sha256 = models.CharField(max_length=64)
    outcome = models.CharField(max_length=16, default="SENDING")
    evidence = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "submit_attempts"
        constraints = [
            models.UniqueConstraint(fields=["order", "kind", "number"], name="attempt_once"),
        ]
        indexes = [
            # the resolver's list of requests in doubt
            models.Index(
                fields=["created_at"],
                name="attempt_in_doubt",
                condition=models.Q(outcome__in=["SENDING", "UNKNOWN"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.order_id}/{self.number} {self.outcome}"
