"""App registration."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        from django.conf import settings

        from core import checks  # noqa: F401 - registers them
        from core.sentry import init_sentry

        if settings.RECORD_INTO:
            from core.recording.hooks import record_into

            record_into(settings.RECORD_INTO, limit_mb=settings.RECORD_LIMIT_MB)
        init_sentry(dsn=settings.SENTRY_DSN, environment=str(settings.TRADING_MODE))
