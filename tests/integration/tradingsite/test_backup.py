import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from core import audit
from core.models import AuditRecord
from tests.append_only import unlocked

pytestmark = [pytest.mark.django_db(transaction=True)]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MODEL_DIR = tmp_path / "models"
    settings.KEY_FILE = tmp_path / "keys.json"
    (settings.MODEL_DIR / "a-model").mkdir(parents=True)
    (settings.MODEL_DIR / "a-model" / "manifest.json").write_text("{}")
    (settings.MODEL_DIR / ".half.part").mkdir()
    settings.KEY_FILE.write_text("sealed")
    return tmp_path


@pytest.fixture
def backup(data_dir) -> Path:
    audit.record(actor="ann", action="risk.halt", subject="account:1", now=NOW)
    call_command("backup", stdout=StringIO())
    (made,) = (data_dir / "backups").iterdir()
    return made


def drill(**options):
    out = StringIO()
    call_command("restore_drill", stdout=out, **options)
    return out.getvalue()


def test_a_backup_can_be_used(backup):
    assert "The backup can be used" in drill()
    assert (backup / "keys.json").read_text() == "sealed"
    assert (backup / "models" / "a-model" / "manifest.json").exists()
    assert not (backup / "models" / ".half.part").exists()


def test_it_leaves_no_scratch_database_behind(backup, data_dir):
    from django.db import connection

    drill()

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'restore_drill_%'")
            assert cursor.fetchall() == []
    assert [path.name for path in (data_dir / "backups").iterdir()] == [backup.name]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "keys.json").write_text("other"), "keys.json was altered"),
        (lambda folder: (folder / "keys.json").unlink(), "keys.json is missing"),
        (lambda folder: (folder / "more").write_text(""), "more is not in the manifest"),
        (lambda folder: (folder / "manifest.json").unlink(), "no backup"),
    ],
)
def test_a_spoiled_backup_is_refused(backup, spoil, said):
    spoil(backup)

    with pytest.raises(CommandError, match=said):
        drill(source=backup)


def test_a_trail_that_was_cut_off_is_noticed(backup):
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["audit_head"] = {"sequence": 2, "hash": "f" * 64}
    (backup / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(CommandError, match="not there any more"):
        drill()


def test_a_trail_that_was_altered_is_noticed(data_dir):
    audit.record(actor="ann", action="risk.halt", subject="account:1", now=NOW)
    with unlocked():
        AuditRecord.objects.update(actor="eve")
    call_command("backup", stdout=StringIO())

    with pytest.raises(CommandError, match="its content was changed"):
        drill()


def test_it_says_what_is_missing(data_dir):
    with pytest.raises(CommandError, match="no backup below"):
        drill()


def test_two_backups_of_one_second_do_not_mix(backup, monkeypatch):
    at = datetime.strptime(backup.name, "%Y-%m-%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("django.utils.timezone.now", lambda: at)

    with pytest.raises(CommandError, match="there already"):
        call_command("backup", stdout=StringIO())
