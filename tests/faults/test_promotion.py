"""Promotion and rollback by two processes at once, each killed again and again in the middle.

``PROMOTION_KILLS=100`` kills them more often.
"""

import os
import random
import time

import pytest

from core.models import AuditRecord
from mlmodels.models import ModelAlias, ModelVersion
from mlmodels.services.promotion import promote
from tests.faults.conftest import wait_until
from tests.integration.mlmodels.conftest import NOW, add_version

KILLS = int(os.environ.get("PROMOTION_KILLS", "25"))


@pytest.mark.timeout(60 + 4 * KILLS)
def test_no_kill_leaves_half_a_promotion(transactional_db, zygote):
    dice = random.Random(3)
    ids = [add_version().pk for _ in range(4)]
    promote(version_id=ids[0], reason="the first", actor="test", now=NOW)

    actors = [zygote.fork("promote_for_ever", [ids], {}) for _ in range(2)]
    try:
        for number in range(KILLS):
            before = AuditRecord.objects.filter(actor=str(actors[0].pid)).count()
            wait_until(
                lambda: AuditRecord.objects.filter(actor=str(actors[0].pid)).count() > before,  # noqa: B023
                what="a promotion",
            )
            time.sleep(dice.random() * 0.02)
            actors[0].kill()
            assert _half_states() == [], f"after kill {number}"
            actors = [actors[1], zygote.fork("promote_for_ever", [ids], {})]
    finally:
        for actor in actors:
            actor.kill()

    moves = AuditRecord.objects.filter(action__in=("model.promote", "model.rollback")).count()
    assert moves > KILLS
    # Each move on record moved the alias once, and no move without a record did.
    assert ModelAlias.objects.get(scope="1h").epoch == moves


def _half_states() -> list[str]:
    """Read states and alias in one statement; return what does not belong together."""
    rows = list(ModelVersion.objects.filter(scope="1h").values_list("state", "aliases__alias"))
    states = [state for state, _ in rows]
    found = []
    if states.count("CHAMPION") != 1 or ("CHAMPION", "champion") not in rows:
        found.append(f"champions: {rows}")
    if states.count("PREVIOUS") > 1:
        found.append(f"versions before: {rows}")
    if any(alias and state != "CHAMPION" for state, alias in rows):
        found.append(f"the alias points elsewhere: {rows}")
    return found
