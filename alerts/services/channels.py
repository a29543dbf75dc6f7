"""Keep channels' addresses sealed, and try a channel out."""

import re
from datetime import datetime

from alerts.models import Channel
from alerts.ports import Outgoing, Transport
from core import audit
from core.keys.sealing import seal, unseal
from core.masking import register_secret

_PURPOSE = "alerts.channel"
# Shorter parts of an address are words, not tokens.
_TOKEN_LENGTH = 16


def sealed(target: str) -> str:
    """Return the address as it is stored."""
    return seal(target.strip(), purpose=_PURPOSE)


def target_of(channel: Channel) -> str:
    """Return the channel's address, to be used at once; it is masked in logs from here on."""
    target = unseal(channel.sealed_target, purpose=_PURPOSE)
    for part in (target, *re.split(r"[/:@?&=]+", target)):
        if len(part) >= _TOKEN_LENGTH:
            register_secret(part)
    return target


def try_channel(*, channel_id: int, transport: Transport, actor: str, now: datetime) -> None:
    """Send a test message; raise ``SendFailed`` with the reason when it does not get there."""
    channel = Channel.objects.get(pk=channel_id)
    transport.send(
        Outgoing(
            kind=channel.kind,
            target=target_of(channel),
            title="[INFO] Test of an alert channel",
            body=f"{actor} tried out the channel {channel.name} at {now:%Y-%m-%d %H:%M} UTC.",
            severity="INFO",
        )
    )
    audit.record(actor=actor, action="channel.test", subject=f"channel:{channel.pk}", now=now)
