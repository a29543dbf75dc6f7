from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from core.errors import Conflict, InvalidInput
from core.models import AuditRecord
from risk.domain.limits import LimitsInvalid
from risk.models import RiskLimits
from risk.selectors import get_limits
from risk.services.limits import save_limits

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
D = Decimal
BY = {"actor": "anna", "reason": "calmer", "now": NOW}

pytestmark = pytest.mark.django_db


def test_a_new_system_has_the_promised_limits() -> None:
    limits = get_limits()

    assert (limits.max_position_size, limits.max_positions) == (D(10000), 10)
    assert (limits.max_daily_loss, limits.max_drawdown_fraction) == (D(1000), D("0.1"))


def test_there_is_one_row_only() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        RiskLimits.objects.create(pk=2)


def test_it_keeps_version_history_and_audit() -> None:
    saved = save_limits(changes={"max_daily_loss": D(500)}, **BY)

    row = RiskLimits.objects.get()
    assert saved == get_limits()
    assert saved.max_daily_loss == D(500)
    assert (row.version, row.updated_at) == (2, NOW)
    assert row.history.first().max_daily_loss == D(500)
    assert row.history.first().history_change_reason == "calmer"
    audited = AuditRecord.objects.get()
    assert (audited.before, audited.after) == (
        {"max_daily_loss": "1000"},
        {"max_daily_loss": "500"},
    )


def test_the_same_values_again_change_nothing() -> None:
    save_limits(changes={"max_positions": 10}, **BY)

    assert RiskLimits.objects.get().version == 1
    assert not AuditRecord.objects.exists()


def test_it_saves_all_or_nothing() -> None:
    with pytest.raises(LimitsInvalid):
        save_limits(changes={"max_positions": 5, "stop_loss_fraction": D(2)}, **BY)

    assert get_limits().max_positions == 10


def test_it_overwrites_nothing_that_the_person_has_not_seen() -> None:
    save_limits(changes={"max_positions": 5}, **BY)

    with pytest.raises(Conflict):
        save_limits(changes={"max_positions": 9}, expected_version=1, **BY)

    assert get_limits().max_positions == 5


@pytest.mark.parametrize("changes", [{"version": 1}, {"max_drawdown": D("0.1")}])
def test_it_knows_only_limits(changes) -> None:
    with pytest.raises(InvalidInput, match="unknown limit"):
        save_limits(changes=changes, **BY)


def test_a_lost_row_is_written_anew_with_defaults() -> None:
    RiskLimits.objects.all().delete()

    save_limits(changes={"max_positions": 3}, **BY)

    assert get_limits().max_positions == 3
    assert get_limits().max_daily_loss == D(1000)
