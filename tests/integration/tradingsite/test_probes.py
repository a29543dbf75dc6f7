import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import redis

from tests import processes
from tradingsite.supervisor.probes import BrokerLine, answers_ping, get


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_there = self.path == "/there"
        self.send_response(200 if is_there else 503)
        self.end_headers()
        self.wfile.write(b"body")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web_port():
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_gets_what_is_there(web_port):
    assert get(web_port, "/there") == b"body"


def test_it_gets_nothing_from_a_server_that_is_not_ready_or_not_up(web_port):
    assert get(web_port, "/elsewhere") is None
    assert get(processes.free_port(), "/there") is None


def test_it_knows_a_broker_by_its_answer(web_port, tmp_path):
    child, port = processes.start_valkey(folder=tmp_path, environment=os.environ)
    try:
        with redis.Redis(port=port) as client:
            client.config_set("requirepass", "secret")
        assert answers_ping(port, password="secret")
        assert not answers_ping(port, password="wrong")
    finally:
        child.stop()
    assert not answers_ping(web_port, password="x")
    assert not answers_ping(processes.free_port(), password="x")


def test_it_reads_the_oldest_message_that_waits(tmp_path):
    child, port = processes.start_valkey(folder=tmp_path, environment=os.environ)
    try:
        with redis.Redis(port=port, db=3) as client:
            client.lpush("t:orders", b"old\r\n\xff", b"new")
            client.config_set("requirepass", "a/b")
        line = BrokerLine(f"redis://:a%2Fb@127.0.0.1:{port}/3", prefix="t:")
        assert [line.oldest("orders"), line.oldest("train")] == [b"old\r\n\xff", b""]
        line.close()
        assert line.oldest("orders") == b"old\r\n\xff"
        with pytest.raises(OSError, match="WRONGPASS"):
            BrokerLine(f"redis://:no@127.0.0.1:{port}", prefix="t:").oldest("orders")
    finally:
        child.stop()
    with pytest.raises(OSError, match="broker"):
        line.oldest("orders")
