"""App registration, and the two rows without which nothing may trade."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RiskConfig(AppConfig):
    name = "risk"
    verbose_name = "Risk"

    def ready(self) -> None:
        from risk.services import staffing  # noqa: F401 - registers its check

        post_migrate.connect(_create_rows, sender=self, dispatch_uid="risk.rows")


def _create_rows(using: str, **_: Any) -> None:
    from risk.services.setup import create_rows

    create_rows(using=using)
