"""The kill switch and its history."""

from django.db import models

from risk.domain.trading_state import GLOBAL, Level

_LEVELS = [(level.value, level.value) for level in Level]


class TradingState(models.Model):
    """The kill switch of one scope: GLOBAL, an account, a strategy, a model or a symbol.

    The GLOBAL row is created by the first migration, another by the first raise of its scope;
    moved only by ``services.trading_state``, upwards by anything, down by a person, never deleted.
    The sender reads them in the transaction that writes "about to send".
    """

    scope = models.CharField(max_length=64, unique=True, default=GLOBAL)
    level = models.CharField(max_length=16, choices=_LEVELS, default=Level.ACTIVE.value)
    # Rises with every change: an order approved under another epoch is not sent.
    epoch = models.BigIntegerField(default=1)
    is_running = models.BooleanField(default=False, help_text="Strategies may open positions")
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    changed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "trading_state"
        verbose_name_plural = "trading state"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(level__in=[level.value for level in Level]),
                name="trading_state_known_level",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope}: {self.level}"


class RearmRequest(models.Model):
    """One person's wish to re-arm, until a second person approves it or it is too old.

    Only with ``TWO_PERSON_REARM``. Written by ``services.rearming``; that asker and approver are
    two is the database's rule too.
    """

    scope = models.CharField(max_length=64, default=GLOBAL)
    # The state that was asked about: a later change of the switch makes the request void.
    epoch = models.BigIntegerField()
    reason = models.CharField(max_length=500)
    reset_drawdown = models.BooleanField(default=False)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    approved_by = models.CharField(max_length=150, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "rearm_requests"
        constraints = [
            models.UniqueConstraint(fields=["scope", "epoch"], name="rearm_request_once"),
            models.CheckConstraint(
                condition=~models.Q(approved_by=models.F("asked_by")),
                name="rearm_request_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} by {self.asked_by}"


class TradingStateChange(models.Model):
    """One change of the kill switch or of running. Append-only, same transaction as the change."""

    scope = models.CharField(max_length=64, default=GLOBAL)
    from_level = models.CharField(max_length=16, choices=_LEVELS)
    to_level = models.CharField(max_length=16, choices=_LEVELS)
    epoch = models.BigIntegerField()
    is_running = models.BooleanField()
    reason = models.CharField(max_length=500)
    actor = models.CharField(max_length=150)
    timestamp = models.DateTimeField()

    class Meta:
        db_table = "trading_state_changes"
        constraints = [
            models.UniqueConstraint(fields=["scope", "epoch"], name="state_change_once"),
        ]

    def __str__(self) -> str:
        return f"{self.from_level} to {self.to_level} by {self.actor}"
