"""App registration."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        from django.conf import settings

        from core import checks  # noqa: F401 - registers them
        from core.sentry import init_sentry

        init_sentry(dsn=settings.SENTRY_DSN, environment=str(settings.TRADING_MODE))
