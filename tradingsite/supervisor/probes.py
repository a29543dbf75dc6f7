"""Asking the servers on this machine whether they are up.

By the standard library alone: the supervisor lives as long as everything else and should weigh
nothing.
"""

import http.client
import socket
import ssl
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

_TIMEOUT_S = 2.0
_HOST = "127.0.0.1"
_REDIS_PORT = 6379


def answers_ping(port: int, *, password: str) -> bool:
    """Tell whether a Redis server on `port` knows the password and answers."""
    try:
        with socket.create_connection((_HOST, port), _TIMEOUT_S) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            with connection.makefile("rb") as replies:
                return [replies.readline(), replies.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
    except OSError:
        return False


def get(port: int, path: str) -> bytes | None:
    """GET an address of this machine; None when it does not answer, or refuses."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if reply.status < 400 else None


class BrokerLine:
    """A connection of the supervisor's own to the broker, opened when it is first needed.

    Args:
        url: As in ``REDIS_URL``: ``redis://``, ``rediss://`` or ``unix://``.
        prefix: Before every key, as in ``REDIS_PREFIX``.
    """

    def __init__(self, url: str, *, prefix: str) -> None:
        self._url = urlsplit(url)
        self._prefix = prefix
        self._socket: socket.socket | None = None
        self._replies: BinaryIO | None = None

    def oldest(self, queue: str) -> bytes:
        """Return the message that has waited longest in a queue; empty: none waits.

        Raises:
            OSError: The broker does not answer, or refuses.
        """
        try:
            if self._socket is None:
                self._open()
            return self._ask("LINDEX", f"{self._prefix}{queue}", "-1")
        except (OSError, ValueError) as error:
            self.close()
            raise OSError(f"broker: {error}") from error

    def close(self) -> None:
        """Hang up; the next question opens the line again."""
        for end in (self._replies, self._socket):
            if end is not None:
                end.close()
        self._replies = self._socket = None

    def _open(self) -> None:
        url = self._url
        if url.scheme == "unix":
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(_TIMEOUT_S)
            self._socket.connect(url.path)
            database = parse_qs(url.query).get("db", ["0"])[0]
        else:
            address = (url.hostname or _HOST, url.port or _REDIS_PORT)
            self._socket = socket.create_connection(address, _TIMEOUT_S)
            if url.scheme == "rediss":
                tls = ssl.create_default_context()
                self._socket = tls.wrap_socket(self._socket, server_hostname=address[0])
            database = url.path.strip("/") or "0"
        self._replies = self._socket.makefile("rb")
        if url.password:
            names = (unquote(url.username),) if url.username else ()
            self._ask("AUTH", *names, unquote(url.password))
        self._ask("SELECT", database)

    def _ask(self, *words: str) -> bytes:
        """Send one command; return the text of a reply that is a string."""
        if self._socket is None or self._replies is None:
            raise OSError("the line is closed")
        parts = [word.encode() for word in words]
        lines = [b"*%d" % len(parts)]
        for part in parts:
            lines += [b"$%d" % len(part), part]
        self._socket.sendall(b"\r\n".join([*lines, b""]))
        head = self._replies.readline().rstrip(b"\r\n")
        if head.startswith(b"$"):
            length = int(head[1:])
            return self._replies.read(length + 2)[:length] if length >= 0 else b""
        if not head.startswith(b"+"):
            raise OSError(head.decode(errors="replace") or "it hung up")
        return head[1:]
