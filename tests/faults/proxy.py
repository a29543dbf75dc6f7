"""A TCP proxy that can be cut, slowed and made deaf, put before a real server."""

import contextlib
import socket
import threading
import time

_CHUNK = 65536


class ChaosProxy:
    """Listens on a port of its own and passes bytes to `target_port` of this machine.

    ``cut()`` resets every connection and refuses new ones until ``restore()``; ``delay_s`` holds
    every chunk back; ``reset_replies`` resets so many connections instead of passing a reply on
    (the server gets the request, the client nothing); ``reset_after`` does so to the next
    connection whose client says these bytes; ``bend`` changes replies on their way;
    ``deafen()`` swallows what is said over the present connections, which stay open.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._deaf: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.delay_s = 0.0
        self.reset_replies = 0
        self.reset_after = b""
        self.bend = bytes
        self.connections = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.restore()

    def restore(self) -> None:
        """Listen (again)."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Stop listening and reset everything that is open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Wakes the thread that waits in accept().
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            victims, self._open = self._open, set()
        for victim in victims:
            _reset(victim)

    close = cut

    def deafen(self) -> None:
        """Pass nothing on any more over the connections that are open; new ones work."""
        with self._lock:
            self._deaf |= self._open

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
                server.settimeout(None)
            except OSError:
                _reset(client)
                continue
            with self._lock:
                self.connections += 1
                self._open |= {client, server}
            for source, sink, is_reply in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pump, args=(source, sink, is_reply), daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                if source in self._deaf:
                    continue
                if is_reply and self.reset_replies > 0:
                    self.reset_replies -= 1
                    break
                if self.delay_s:
                    time.sleep(self.delay_s)
                if not is_reply and self.reset_after and self.reset_after in chunk:
                    # Passed on whole before anything comes back: the next reply is lost.
                    self.reset_after, self.reset_replies = b"", self.reset_replies + 1
                sink.sendall(self.bend(chunk) if is_reply else chunk)
        with self._lock:
            self._open -= {source, sink}
            self._deaf -= {source, sink}
        for end in (source, sink):
            _reset(end)


def _reset(end: socket.socket) -> None:
    """Close with RST, as a broken line does, and wake whoever reads it."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
