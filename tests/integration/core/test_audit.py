import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from core import append_only, audit
from core.models import AuditRecord

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TABLE = "audit_records"


def record(**changes):
    arguments = {"actor": "ann", "action": "risk.halt", "subject": "account:1", "now": NOW}
    return audit.record(**{**arguments, **changes})


@pytest.mark.django_db
def test_it_chains_rows_without_gaps():
    first = record(before={"level": 0}, after={"level": 2}, reason="looks odd")

    second = record()

    assert (first.sequence, second.sequence) == (1, 2)
    assert second.previous_hash == first.hash
    assert list(audit.verify()) == []


@pytest.mark.django_db
def test_it_keeps_the_hash_of_values_that_databases_rewrite():
    record(
        before={"float": 1e16, "decimal": Decimal("1.10"), "at": NOW, "nul": "a\x00b\ud800"},
        after={"nested": [1, 2.50, None, True, {"b": 1, "a": 2}]},
        reason="caf\u00e9 \U0001f680",
    )

    assert list(audit.verify()) == []


@pytest.mark.django_db
def test_it_refuses_a_naive_time():
    with pytest.raises(ValueError, match="aware"):
        record(now=datetime(2026, 3, 1))  # noqa: DTZ001 - the point of the test


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_database_refuses_to_change_a_row(change):
    record()
    rows = AuditRecord.objects.all()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        rows.update(actor="eve") if change == "update" else rows.delete()

    assert AuditRecord.objects.get().actor == "ann"


@pytest.mark.django_db
def test_the_database_refuses_to_empty_the_table():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    record()

    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {TABLE}")


@pytest.mark.django_db
def test_it_finds_a_changed_and_a_missing_row(capsys):
    for number in range(4):
        record(subject=f"order:{number}")
    append_only.unprotect(connection, TABLE)
    AuditRecord.objects.filter(sequence=2).update(actor="eve")
    AuditRecord.objects.filter(sequence=3).delete()

    breaks = [(each.sequence, each.problem) for each in audit.verify()]
    with pytest.raises(SystemExit) as stop:
        call_command("audit_verify")

    assert breaks[0] == (2, "its content was changed")
    assert breaks[1][0] == 3
    assert "missing" in breaks[1][1]
    assert stop.value.code == 1
    assert "its content was changed" in capsys.readouterr().err


@pytest.mark.django_db
def test_the_command_says_what_it_checked(capsys):
    last = record()

    call_command("audit_verify")

    out = capsys.readouterr().out
    assert "1 row" in out
    assert last.hash in out


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_take_turns():
    failures = []

    def write(name):
        try:
            for number in range(5):
                record(actor=name, subject=f"order:{number}")
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(f"writer-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert list(audit.verify()) == []
    assert audit.head()[0] == 20
