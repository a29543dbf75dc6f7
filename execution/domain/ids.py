"""Client order ids: the same wish always bears the same name at the exchange."""

import base64
import hashlib

from execution.domain.order import Leg

# Marks our orders at the exchange; ids without it are somebody else's.
PREFIX = "ts-"
_DIGEST_LENGTH = 26


def client_order_id(*, account: str, key: str, leg: Leg, attempt: int) -> str:
    """Return the id of one attempt at one leg of one wish.

    It is a digest, so a re-run cannot mint another, and nothing about the account can be read
    from it. Only capitals, digits and a hyphen; 29 characters of the 36 that Binance allows.

    Args:
        account: The account's name.
        key: What the order is for: ``decision:7``, ``position:3`` or ``manual:KEY``.
        leg: What the order does for it.
        attempt: From 1; the next only after the one before is proved dead.
    """
    if attempt < 1:
        raise ValueError(f"attempt must be 1 or more, was {attempt}")
    text = "|".join((account, key, leg.value, str(attempt)))
    digest = base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()
    return PREFIX + digest[:_DIGEST_LENGTH]


def is_ours(client_id: str) -> bool:
    """Tell whether an id at the exchange was minted here."""
    return client_id.startswith(PREFIX) and len(client_id) == len(PREFIX) + _DIGEST_LENGTH
