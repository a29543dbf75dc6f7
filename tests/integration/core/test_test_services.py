"""The services that integration tests rely on are real ones."""

import os
import socket
import sys

import pytest
import redis
from django.conf import settings
from django.db import connection

from tests.processes import start


def test_it_gives_each_test_an_empty_redis_server(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", "left behind")

        assert client.info("server")["server_name"] == "valkey"
    assert settings.REDIS_URL == os.environ["REDIS_URL"] == redis_url


def test_it_flushes_what_an_earlier_test_left(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


@pytest.mark.django_db(transaction=True)
def test_it_uses_a_database_that_other_processes_can_open(child_environment, tmp_path):
    script = (
        "import django; django.setup(); from django.db import connection; "
        "print(len(connection.introspection.table_names()))"
    )

    child = start(
        "reader",
        [sys.executable, "-W", "ignore", "-c", script],
        folder=tmp_path,
        environment=child_environment,
    )
    status = child.process.wait(60)

    assert status == 0, child.output()
    assert int(child.output()) == len(connection.introspection.table_names()) > 0


@pytest.mark.django_db
def test_it_runs_sqlite_the_way_production_does():
    if connection.vendor != "sqlite":
        pytest.skip("about SQLite")

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = cursor.fetchone()[0]

    assert mode == "wal"


def test_it_refuses_to_leave_this_machine():
    with socket.socket() as client, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        client.connect(("192.0.2.1", 443))
