"""What delivering needs from the outside."""

from dataclasses import dataclass
from typing import Protocol


class SendFailed(Exception):
    """The channel did not take the message.

    Attributes:
        is_final: Trying again cannot help: a wrong address, a revoked token.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message for one channel; `target` is a secret and not shown.

    Attributes:
        kind: Of the channel, such as SLACK.
        target: Its address with token.
        title: One line.
        body: Plain text.
        severity: Of the alert.
    """

    kind: str
    target: str
    title: str
    body: str
    severity: str

    def __repr__(self) -> str:
        return f"Outgoing(kind={self.kind!r}, title={self.title!r})"


class Transport(Protocol):
    """Sends one message."""

    def send(self, message: Outgoing) -> None:
        """Deliver `message` or raise ``SendFailed``; takes bounded time."""
