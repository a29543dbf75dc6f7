"""Changing the training settings from a file."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from core.audit import record
from core.errors import InvalidInput
from mlmodels.models import MLSettings
from mlmodels.selectors import get_settings

# field -> (lowest, highest, how to write it)
_BOUNDS = {
    "retrain_error_threshold": (Decimal("0.000001"), Decimal(1), "a fraction (0.02 is 2 %)"),
    "retrain_interval_hours": (Decimal(1), Decimal(8760), "hours"),
}


@transaction.atomic
def save_ml_settings(
    *, changes: Mapping[str, Decimal | int], actor: str, reason: str, now: datetime
) -> MLSettings:
    """Change some of the training settings, all or none of them.

    Args:
        changes: New values by field.
        actor: Who changes them.
        reason: Why.
        now: Market time.

    Raises:
        InvalidInput: Unknown field, or a value outside its bounds; ``context`` says which.
    """
    for name, number in changes.items():
        if name not in _BOUNDS:
            raise InvalidInput(f"unknown training setting {name}", field=name)
        low, high, unit = _BOUNDS[name]
        if not low <= number <= high:
            raise InvalidInput(
                f"{name} was {number}",
                field=name,
                value=str(number),
                fix=f"must be from {low} to {high}, {unit}",
            )
    row = get_settings()
    converted: dict[str, Any] = {
        name: int(number) if name == "retrain_interval_hours" else float(number)
        for name, number in changes.items()
    }
    before = {name: getattr(row, name) for name in converted}
    if before == converted:
        return row
    for name, number in converted.items():
        setattr(row, name, number)
    row.save()
    record(
        actor=actor,
        action="mlmodels.save_settings",
        subject="ml_settings",
        before=before,
        after=converted,
        reason=reason,
        now=now,
    )
    return row
