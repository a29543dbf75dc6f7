"""Changing the limits: validated, versioned, audited."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from django.db import transaction

from core.audit import record
from core.errors import Conflict, InvalidInput
from risk.domain.limits import RiskLimits, check_limits
from risk.models import RiskLimits as LimitsRow
from risk.selectors import LIMITS_ID, to_limits

NAMES = tuple(field.name for field in fields(RiskLimits))


@transaction.atomic
def save_limits(
    *,
    changes: Mapping[str, Any],
    actor: str,
    reason: str,
    now: datetime,
    expected_version: int | None = None,
) -> RiskLimits:
    """Change some of the limits, all or none of them; the same values again change nothing.

    Args:
        changes: New values by field name: whole numbers as int, others as Decimal.
        actor: Who changes them.
        reason: Why, in their words.
        now: Market time.
        expected_version: The version that the person saw; None: whatever it is now.

    Raises:
        InvalidInput: Unknown field, or no reason.
        LimitsInvalid: A value is outside its bounds, alone or with the others.
        Conflict: Somebody else changed the limits since `expected_version`.
    """
    unknown = sorted(set(changes) - set(NAMES))
    if unknown:
        raise InvalidInput(
            f"unknown limit {unknown[0]}", field=unknown[0], fix=f"one of {', '.join(NAMES)}"
        )
    if not reason.strip():
        raise InvalidInput("a reason is needed", field="reason", value=reason)
    row = LimitsRow.objects.select_for_update().filter(pk=LIMITS_ID).first()
    if row is None:
        # The whole set is validated below; a missing row starts from the defaults.
        row = LimitsRow(pk=LIMITS_ID, version=0)
    if expected_version is not None and expected_version != row.version:
        raise Conflict(
            f"the limits are at version {row.version} now, not {expected_version}; reload them",
            version=row.version,
        )
    before = {name: getattr(row, name) for name in NAMES}
    after = {**before, **changes}
    check_limits(after)
    if after == before and row.version:
        return to_limits(row)
    for name, number in after.items():
        setattr(row, name, number)
    row.version += 1
    row.updated_at = now
    row._change_reason = reason[:100]  # type: ignore[attr-defined] # simple-history reads it
    row.save()
    changed = [name for name in NAMES if before[name] != after[name]]
    record(
        actor=actor,
        action="risk.save_limits",
        subject="risk_limits",
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
        reason=reason,
        now=now,
    )
    return to_limits(row)


def export_limits(limits: RiskLimits) -> dict[str, Any]:
    """Return the limits by field name."""
    return asdict(limits)
