"""The exchange's replies on tape: the same to python-binance, without a secret."""

from pathlib import Path

import pytest
import requests
from requests import exceptions
from urllib3.exceptions import MaxRetryError, NewConnectionError

from core.recording import tape
from core.recording.player import Diverged, Player, load
from core.recording.recorder import MANIFEST, Recorder
from markets.adapters.taped_http import TapedAdapter

URL = "http://127.0.0.1:9/api/v3/order?symbol=BTCUSDT&timestamp=170&signature=feed"


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    for kind in (Recorder, Player):
        monkeypatch.setattr(kind, "is_in_transaction", False)
    (tmp_path / MANIFEST).write_text("{}")
    tape.use(Recorder(tmp_path, name=lambda: "test", limit_bytes=10**9))
    yield tmp_path
    tape.use(None)


def ask(url: str = URL) -> requests.Response:
    with requests.Session() as session:
        session.mount("http://", TapedAdapter())
        return session.post(url, data="quantity=1&signature=cafe", headers={"X-MBX-APIKEY": "key"})


def answer(monkeypatch, status: int, body: bytes, **headers: str) -> None:
    def send(_self, request, *_args, **_kwargs):
        reply = requests.Response()
        reply.status_code, reply._content, reply.request = status, body, request
        reply.headers.update(headers)
        return reply

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)


def fail(monkeypatch, error: Exception) -> None:
    def send(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("requests.adapters.HTTPAdapter.send", send)


def replay(folder: Path, work) -> Player:
    (step,) = load(folder).steps
    player = Player([step])
    tape.use(player)
    player.run(step, work)
    return player


@pytest.mark.parametrize("body", [b'{"orderId": 7}', b"\xff\xfe not text"])
def test_the_reply_comes_again_with_what_is_learned_from_it(folder, monkeypatch, body) -> None:
    answer(monkeypatch, 429, body, **{"Retry-After": "3", "x-mbx-used-weight-1m": "17"})
    with tape.step("a", {}):
        ask()
    answer(monkeypatch, 200, b"never sent")
    replies = []

    replay(folder, lambda: replies.append(ask()))

    (reply,) = replies
    assert (reply.status_code, reply.content) == (429, body)
    assert reply.headers["Retry-After"] == "3"
    assert reply.headers["X-MBX-USED-WEIGHT-1M"] == "17"


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ReadTimeout("slow"),
        exceptions.ConnectTimeout("far"),
        exceptions.ConnectionError(
            MaxRetryError(None, "/", NewConnectionError(None, "refused"))  # type: ignore[arg-type]
        ),
    ],
)
def test_a_failure_comes_again_with_its_proof_that_nothing_was_sent(
    folder, monkeypatch, error
) -> None:
    fail(monkeypatch, error)
    with tape.step("a", {}), pytest.raises(type(error)):
        ask()
    told = []

    def again() -> None:
        try:
            ask()
        except exceptions.RequestException as found:
            told.append(found)

    replay(folder, again)

    assert type(told[0]) is type(error)
    cause = told[0].args[0] if told[0].args else None
    was = isinstance(error.args[0], MaxRetryError)
    assert isinstance(cause, MaxRetryError) is was


def test_no_secret_is_written_but_the_hash_of_what_was_sent(folder, monkeypatch) -> None:
    answer(monkeypatch, 200, b"{}")
    with tape.step("a", {}):
        ask()
    ask()  # outside of a step it is kept too

    text = "".join(path.read_text() for path in folder.glob("*.jsonl"))
    assert "feed" not in text
    assert "cafe" not in text
    assert "X-MBX-APIKEY" not in text
    assert text.count('"sha256"') == 2


def test_another_request_is_a_difference(folder, monkeypatch) -> None:
    answer(monkeypatch, 200, b"{}")
    with tape.step("a", {}):
        ask()

    (step,) = load(folder).steps
    player = Player([step])
    tape.use(player)
    with pytest.raises(Diverged):
        player.run(step, lambda: ask(URL.replace("BTCUSDT", "ETHUSDT")))

    assert player.divergence.kind == "REQUEST"
    assert ["symbol", "ETHUSDT"] in player.divergence.replayed["parameters"]


def test_another_moment_of_signing_is_none(folder, monkeypatch) -> None:
    answer(monkeypatch, 200, b"{}")
    with tape.step("a", {}):
        ask()

    assert replay(folder, lambda: ask(URL.replace("170", "171"))).divergence is None
