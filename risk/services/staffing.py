"""What Django checks of who may re-arm."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning

_NEEDED = 2


@register(Tags.database)
def check_second_person(**_: Any) -> list[CheckMessage]:
    """With ``TWO_PERSON_REARM`` there must be two who can re-arm, or nobody ever will."""
    if not settings.TWO_PERSON_REARM:
        return []
    staff = get_user_model().objects.filter(is_active=True, is_staff=True)
    able = sum(user.has_perm("risk.change_tradingstate") for user in staff)
    if able >= _NEEDED:
        return []
    return [
        CheckWarning(
            f"TWO_PERSON_REARM is on, and {able} active staff user may move the kill switch.",
            hint="Add a second user in the admin, or set TWO_PERSON_REARM=false.",
            id="risk.W001",
        )
    ]
