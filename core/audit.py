"""The audit trail: append-only, without gaps, chained by hash.

``hash = SHA-256(previous_hash || canonical JSON of the row)``. Writers take turns (an advisory
lock on PostgreSQL, the one writer of SQLite), so the chain cannot fork.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from django.db import connection, transaction

from core.models import AuditRecord

GENESIS = "0" * 64
_LOCK_KEY = 0x4155444954  # "AUDIT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A place where the chain does not hold."""

    sequence: int
    problem: str


def record(
    *,
    actor: str,
    action: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    now: datetime,
) -> AuditRecord:
    """Append one row, in the caller's transaction if there is one.

    The lock is held until that transaction ends: record late in it.

    Args:
        actor: User name, or the name of the component that acted.
        action: Dotted verb such as ``risk.halt``.
        subject: What was acted on, such as ``order:17``.
        before: The state before, in plain values; decimals and times become text.
        after: The state after.
        reason: The words of the person who asked for it.
        now: Aware time of the act.
    """
    if now.tzinfo is None:
        raise ValueError(f"now must be aware, was {now!r}")
    with transaction.atomic():
        _take_turn()
        last = AuditRecord.objects.order_by("-sequence").values("sequence", "hash").first()
        row = AuditRecord(
            sequence=last["sequence"] + 1 if last else 1,
            previous_hash=last["hash"] if last else GENESIS,
            actor=_clean(actor)[:150],
            action=_clean(action)[:64],
            subject=_clean(subject)[:150],
            before=_plain(before),
            after=_plain(after),
            reason=_clean(reason),
            created_at=now.astimezone(UTC),
        )
        row.hash = _hash(row)
        row.save(force_insert=True)
    return row


def verify() -> Iterator[Break]:
    """Walk the whole chain and yield each place where it does not hold."""
    previous_hash, expected = GENESIS, 1
    for row in AuditRecord.objects.order_by("sequence").iterator(chunk_size=2000):
        if row.sequence != expected:
            yield Break(sequence=expected, problem=f"missing: the next row is {row.sequence}")
        if row.previous_hash != previous_hash:
            yield Break(sequence=row.sequence, problem="does not follow from the row before it")
        if row.hash != _hash(row):
            yield Break(sequence=row.sequence, problem="its content was changed")
        previous_hash, expected = row.hash, row.sequence + 1


def head() -> tuple[int, str]:
    """Return the last sequence and hash; keep them elsewhere to notice a cut-off tail."""
    last = AuditRecord.objects.order_by("-sequence").values_list("sequence", "hash").first()
    return last or (0, GENESIS)


def contains(sequence: int, row_hash: str) -> bool:
    """Tell whether the row of an earlier ``head()`` is there, as it was."""
    if (sequence, row_hash) == (0, GENESIS):
        return True
    return AuditRecord.objects.filter(sequence=sequence, hash=row_hash).exists()


def _take_turn() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])


def _hash(row: AuditRecord) -> str:
    content = {
        "sequence": row.sequence,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "before": row.before,
        "after": row.after,
        "reason": row.reason,
        "created_at": row.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(row.previous_hash.encode() + text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Return `value` in terms that come back from every database exactly as they went in.

    PostgreSQL's jsonb rewrites floats and refuses NUL, so everything that is not a whole number,
    a truth value, a list or a mapping becomes text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return _clean(str(value))


def _clean(text: str) -> str:
    """Drop NUL and lone surrogates, which no database stores."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
