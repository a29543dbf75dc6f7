"""Asking the servers on this machine whether they are up.

By the standard library alone: the supervisor lives as long as everything else and should weigh
nothing.
"""

import http.client
import socket

_TIMEOUT_S = 2.0
_HOST = "127.0.0.1"


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
