"""Error reports to Sentry when ``SENTRY_DSN`` is set, without secrets."""

from typing import Any

from core.masking import SECRET_NAMES, mask


def init_sentry(*, dsn: str, environment: str, **options: Any) -> bool:
    """Start reporting; tell whether there is anywhere to report to.

    Local variables are never sent: they hold keys and signed addresses.
    """
    if not dsn:
        return False
    # 4 MB in every process: only for those who have somewhere to report to.
    import sentry_sdk
    from sentry_sdk.integrations.logging import ignore_logger
    from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

    scrubber = EventScrubber(denylist=[*DEFAULT_DENYLIST, *SECRET_NAMES], recursive=True)
    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        include_local_variables=False,
        max_request_body_size="never",
        event_scrubber=scrubber,
        before_send=_before_send,
        before_breadcrumb=lambda crumb, _hint: mask(crumb),
        **options,
    )
    ignore_logger("django.security.DisallowedHost")
    return True


def _before_send(event: Any, _hint: Any) -> Any:
    return mask(event, depth=20)
