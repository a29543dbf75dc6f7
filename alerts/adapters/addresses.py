"""Which addresses alerts may be sent to: https, and nothing inside our own network."""

import ipaddress
import socket
from urllib.parse import urlsplit

from django.conf import settings

from alerts.ports import SendFailed


def check_url(url: str) -> None:
    """Refuse an address that could make this server talk to something private.

    Every address the name resolves to is looked at; odd spellings of addresses (decimal, octal,
    IPv4 within IPv6) are resolved first and so found out. ``ALERTS_ALLOW_LOOPBACK`` opens
    127.0.0.1 over http, for tests.

    Raises:
        SendFailed: Final, with the reason but without the address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SendFailed("the address cannot be read", is_final=True) from None
    if parts.username or parts.password:
        raise SendFailed("the address must not hold a user name", is_final=True)
    if parts.scheme not in ("https", "http") or not host:
        raise SendFailed("the address must begin with https://", is_final=True)
    check_host(host, port or (443 if parts.scheme == "https" else 80))
    if parts.scheme == "http" and not _is_allowed_loopback(host):
        raise SendFailed("the address must begin with https://", is_final=True)


def check_host(host: str, port: int) -> None:
    """Refuse a host that resolves to anything but public addresses."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SendFailed("the host name does not resolve") from None
    for *_, address in found:
        ip = ipaddress.ip_address(str(address[0]).split("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if ip.is_loopback and settings.ALERTS_ALLOW_LOOPBACK:
            continue
        if not ip.is_global or ip.is_multicast:
            raise SendFailed("the host is not on the public internet", is_final=True)


def _is_allowed_loopback(host: str) -> bool:
    return settings.ALERTS_ALLOW_LOOPBACK and host in ("127.0.0.1", "localhost", "::1")
