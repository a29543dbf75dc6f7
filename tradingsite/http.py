"""HTTP for views that are plain functions: a request runs on one thread of a small pool."""

import asyncio
import contextvars
from concurrent.futures import ThreadPoolExecutor

from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# Each keeps a database connection; more of them only wait for one another.
THREADS = 8


class PooledHandler(ASGIHandler):
    """Django's handler, with middleware and view as one piece of work for a thread that stays.

    Django itself hops between the event loop and a thread some ten times for each request,
    because one middleware is not asynchronous, and makes that thread, and with it a database
    connection, anew for every request.
    """

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="http")

    def load_middleware(self, is_async: bool = False) -> None:  # noqa: FBT001, FBT002 - Django's signature
        """Build the plain chain, whatever the caller asks for."""
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        """Return the answer of the plain chain."""
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, context.run, self._answer, request
        )

    def close(self) -> None:
        """End the threads, and with them their connections."""
        self._threads.shutdown()

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        # The request's own signals close old connections too, but on another thread.
        close_old_connections()
        try:
            return self.get_response(request)
        finally:
            close_old_connections()
