import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from simexchange.clock import SimClock
from simexchange.engine.accounts import Credential
from simexchange.errors import ApiError
from simexchange.faces.signing import (
    check_signature,
    check_time,
    rest_payload,
    socket_payload,
)

# The pair and the digests are the ones Binance publishes as examples.
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
PAYLOAD = (
    b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
    b"&recvWindow=5000&timestamp=1499827319559"
)
DIGEST = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def credential(**more: Any) -> Credential:
    return Credential(KEY, SECRET, **more)


@pytest.mark.parametrize("signature", [DIGEST, DIGEST.upper()])
def test_it_accepts_the_published_example(signature: str) -> None:
    check_signature(credential(), PAYLOAD, signature)


def test_it_signs_query_and_body_without_a_separator() -> None:
    query, body = PAYLOAD[:60], PAYLOAD[60:]

    assert rest_payload(query, body + b"&signature=abc") == PAYLOAD
    assert rest_payload(b"signature=abc&" + PAYLOAD, b"") == PAYLOAD


def test_it_accepts_the_published_socket_example() -> None:
    params = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01000000",
        "price": "52000.00",
        "recvWindow": "100",
        "timestamp": "1645423376532",
        "apiKey": KEY,
        "signature": "left out",
    }

    check_signature(
        credential(),
        socket_payload(params),
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    )


@pytest.mark.parametrize(("signature", "code"), [("", -1102), ("00", -1022), ("ü", -1022)])
def test_it_refuses_other_signatures(signature: str, code: int) -> None:
    with pytest.raises(ApiError) as refusal:
        check_signature(credential(), PAYLOAD, signature)

    assert refusal.value.code == code


def test_it_accepts_an_ed25519_key() -> None:
    private = ed25519.Ed25519PrivateKey.generate()
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    holder = credential(public_key=pem.decode())
    signature = base64.b64encode(private.sign(PAYLOAD)).decode()

    check_signature(holder, PAYLOAD, signature)
    with pytest.raises(ApiError):
        check_signature(holder, PAYLOAD + b"0", signature)
    with pytest.raises(ApiError):
        check_signature(holder, PAYLOAD, "not base64")


@pytest.mark.parametrize(
    ("late_wall_ms", "window", "message"),
    [
        (0, None, None),
        (5_000, None, None),
        (5_001, None, "outside of the recvWindow"),
        (5_001, "6000", None),
        (-999, None, None),
        (-1_000, None, "1000ms ahead"),
        (0, "60001", "Cannot be greater than 60000"),
    ],
)
@pytest.mark.parametrize("speed", [1, 60])
def test_it_measures_lateness_in_wall_time(
    speed: int, late_wall_ms: int, window: str | None, message: str | None
) -> None:
    clock = SimClock(origin_sim_ms=1_700_000_000_000, speed=speed, wall=lambda: 5.0)
    params = {"timestamp": str(clock.now_ms() - late_wall_ms * speed)}
    if window:
        params["recvWindow"] = window

    if message is None:
        check_time(params, clock)
    else:
        with pytest.raises(ApiError, match=message):
            check_time(params, clock)


def test_it_takes_microseconds() -> None:
    clock = SimClock(origin_sim_ms=1_700_000_000_000, wall=lambda: 5.0)

    check_time({"timestamp": str(clock.now_ms() * 1_000)}, clock)


@pytest.mark.parametrize("stamp", ["", "soon", "-5"])
def test_it_wants_a_timestamp(stamp: str) -> None:
    with pytest.raises(ApiError) as refusal:
        check_time({"timestamp": stamp}, SimClock(origin_sim_ms=0))

    assert refusal.value.code == -1102
