import pytest

from core.errors import Conflict, NotFound
from core.models import AuditRecord
from mlmodels.domain.lifecycle import IllegalModelMove
from mlmodels.models import ModelAlias, ModelVersion
from mlmodels.selectors import get_champion
from mlmodels.services.promotion import promote, rollback
from tests.integration.mlmodels.conftest import NOW, add_version


def states(scope="1h"):
    return list(
        ModelVersion.objects.filter(scope=scope).order_by("id").values_list("state", flat=True)
    )


def up(version):
    return promote(version_id=version.pk, reason="better", actor="ann", now=NOW)


def back(version):
    return rollback(version_id=version.pk, reason="worse", actor="ann", now=NOW)


def test_it_keeps_one_champion_and_one_version_behind_it(db):
    versions = [add_version() for _ in range(3)]

    for version in versions:
        up(version)

    assert states() == ["RETIRED", "PREVIOUS", "CHAMPION"]
    assert get_champion("1h").version_id == versions[2].pk
    assert ModelAlias.objects.get().epoch == 3


def test_it_returns_to_the_version_before(db):
    first, second = add_version(), add_version()
    up(first)
    up(second)

    restored = back(second)

    assert restored.pk == first.pk
    assert states() == ["CHAMPION", "REJECTED"]
    assert get_champion("1h").version_id == first.pk
    last = AuditRecord.objects.order_by("-sequence").first()
    assert (last.action, last.actor, last.reason) == ("model.rollback", "ann", "worse")
    assert last.before == {"champion": second.pk}
    assert last.after == {"champion": first.pk}


def test_it_swaps_with_the_version_behind_when_that_is_promoted(db):
    first, second = add_version(), add_version()
    up(first)
    up(second)

    up(first)

    assert states() == ["CHAMPION", "PREVIOUS"]


def test_it_refuses_to_roll_back_what_does_not_predict(db):
    first, second = add_version(), add_version()
    up(first)
    up(second)

    with pytest.raises(IllegalModelMove):
        back(first)

    assert states() == ["PREVIOUS", "CHAMPION"]


def test_it_refuses_to_roll_back_into_nothing(db):
    only = add_version()
    up(only)

    with pytest.raises(Conflict, match="no version before it"):
        back(only)

    assert states() == ["CHAMPION"]


def test_it_refuses_to_promote_the_champion_again(db):
    only = add_version()
    up(only)

    with pytest.raises(IllegalModelMove):
        up(only)

    assert AuditRecord.objects.filter(action="model.promote").count() == 1


def test_it_does_not_know_a_version_that_is_not_there(db):
    with pytest.raises(NotFound):
        promote(version_id=99, reason="?", actor="ann", now=NOW)


def test_it_keeps_timeframes_apart(db):
    hourly, daily = add_version("1h"), add_version("1d")

    up(hourly)
    up(daily)

    assert states("1h") == states("1d") == ["CHAMPION"]
