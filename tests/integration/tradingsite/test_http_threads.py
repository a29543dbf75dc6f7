"""Requests share a few threads, and these keep their database connections."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.db.backends.signals import connection_created
from django.http import HttpRequest, JsonResponse
from django.urls import path

from tradingsite.http import THREADS, PooledHandler

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


def ask_database(request: HttpRequest) -> JsonResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"thread": threading.get_ident(), "body": request.body.decode()})


def fail(request: HttpRequest) -> JsonResponse:
    raise ZeroDivisionError


urlpatterns = [path("ask", ask_database), path("fail", fail)]
handler500 = "tradingsite.api.errors.server_error"


@pytest.fixture
def handler() -> Iterator[PooledHandler]:
    made = PooledHandler()
    yield made
    made.close()


@pytest.fixture
def opened() -> Iterator[list[int]]:
    """Return the threads on which a connection to the database was opened."""
    threads: list[int] = []

    def note(**_: Any) -> None:
        threads.append(threading.get_ident())

    connection_created.connect(note)
    yield threads
    connection_created.disconnect(note)


async def get(handler: PooledHandler, address: str, body: bytes = b"") -> tuple[int, bytes]:
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": address,
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"localhost")],
    }
    client = ApplicationCommunicator(handler, scope)
    await client.send_input({"type": "http.request", "body": body, "more_body": False})
    start = await client.receive_output(20)
    content = await client.receive_output(20)
    await client.send_input({"type": "http.disconnect"})
    await client.wait(20)
    return start["status"], content["body"]


async def test_it_opens_at_most_one_connection_per_thread(
    handler: PooledHandler, opened: list[int]
) -> None:
    answers = await asyncio.gather(*(get(handler, "/ask") for _ in range(5 * THREADS)))

    assert {status for status, _ in answers} == {200}
    assert len({body for _, body in answers}) <= THREADS
    assert len(opened) == len(set(opened)) <= THREADS


async def test_it_hands_the_body_on(handler: PooledHandler) -> None:
    status, body = await get(handler, "/ask", b"hello")

    assert status == 200
    assert b'"body": "hello"' in body


async def test_it_answers_when_a_view_fails(handler: PooledHandler) -> None:
    status, body = await get(handler, "/fail")

    assert status == 500
    assert b"code" in body
