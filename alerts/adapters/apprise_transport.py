"""Slack, Telegram, Discord, e-mail and JSON webhooks, by apprise."""

import json
import logging
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from alerts.adapters.addresses import check_host, check_url
from alerts.ports import Outgoing, SendFailed

_TYPES = {"CRITICAL": "FAILURE", "ERROR": "FAILURE", "WARNING": "WARNING"}
_SCHEMES = {
    "SLACK": ("slack",),
    "TELEGRAM": ("tgram",),
    "DISCORD": ("discord",),
    "EMAIL": ("mailto", "mailtos"),
}
_TIMEOUTS = "cto=4&rto=6"
_WEBHOOK_TIMEOUT_S = (4.0, 6.0)

# Both write addresses with their tokens at DEBUG.
logging.getLogger("apprise").setLevel(logging.CRITICAL)
logging.getLogger("urllib3").setLevel(logging.INFO)


class AppriseTransport:
    """Sends through apprise; the target is its URL, or a webhook's https address.

    ``slack://…``, ``tgram://TOKEN/CHAT``, ``discord://ID/TOKEN``, ``mailtos://USER:PW@HOST?to=…``;
    the addresses that Slack and Discord show for their incoming webhooks work as they are.
    """

    def send(self, message: Outgoing) -> None:
        if message.kind == "WEBHOOK":
            _post(message)
            return
        # 18 MB, for those who have such a channel.
        import apprise

        service = _service(message)
        try:
            sent = service.notify(
                title=message.title,
                body=message.body,
                notify_type=apprise.NotifyType[_TYPES.get(message.severity, "INFO")],
                body_format=apprise.NotifyFormat.TEXT,
            )
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            # The text of the error may hold the address: its kind must do.
            raise SendFailed(f"{message.kind}: {type(error).__name__}") from None
        if not sent:
            raise SendFailed(f"{message.kind}: the service did not accept the message")


def _service(message: Outgoing) -> Any:
    scheme = urlsplit(message.target).scheme.lower()
    is_native = scheme == "https" and message.kind in ("SLACK", "DISCORD")
    if scheme not in _SCHEMES.get(message.kind, ()) and not is_native:
        raise SendFailed(f"the address is not one of {message.kind}", is_final=True)
    import apprise

    joint = "&" if "?" in message.target else "?"
    service = apprise.Apprise.instantiate(f"{message.target}{joint}{_TIMEOUTS}")
    if service is None:
        raise SendFailed(f"the address is not a valid one of {message.kind}", is_final=True)
    if message.kind == "EMAIL":
        parts = urlsplit(message.target)
        named = parse_qs(parts.query).get("smtp", [])
        host = named[0] if named else getattr(service, "smtp_host", "") or parts.hostname or ""
        check_host(host, service.port or 587)
    return service


def _post(message: Outgoing) -> None:
    check_url(message.target)
    session = requests.Session()
    session.trust_env = False  # no proxy, no .netrc
    body = json.dumps(
        {"title": message.title, "message": message.body, "severity": message.severity}
    )
    try:
        reply = session.post(
            message.target,
            data=body.encode(),
            headers={"Content-Type": "application/json"},
            timeout=_WEBHOOK_TIMEOUT_S,
            allow_redirects=False,
            stream=True,
        )
        status = reply.status_code
        reply.close()
    except requests.RequestException as error:
        raise SendFailed(f"WEBHOOK: {type(error).__name__}") from None
    finally:
        session.close()
    if not 200 <= status < 300:
        is_final = status in (301, 302, 303, 307, 308, 401, 403, 404, 410)
        raise SendFailed(f"WEBHOOK: answered {status}", is_final=is_final)
