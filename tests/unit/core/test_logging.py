"""Canaries: secrets go in at every opening of the log, and must not come out."""

import json
import logging
import logging.config

import pytest
import sentry_sdk
import structlog
from sentry_sdk.transport import Transport

from core.logging import SharedRotatingFileHandler, build_logging
from core.masking import mask, register_secret
from core.sentry import init_sentry

CANARY = "canary-5b1f-secret-value"


@pytest.fixture
def log(tmp_path):
    register_secret(CANARY)
    config = build_logging(level="DEBUG", file=tmp_path / "var" / "trading_system.log")
    config["loggers"] = {}
    formatter = logging.config.DictConfigurator(config).configure_formatter(
        config["formatters"]["json"]
    )
    handler = SharedRotatingFileHandler(str(tmp_path / "var" / "trading_system.log"))
    handler.setFormatter(formatter)
    logger = logging.getLogger("canary")
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    yield logger, tmp_path / "var" / "trading_system.log"
    logger.removeHandler(handler)
    handler.close()


def test_no_secret_reaches_the_file(log):
    logger, file = log
    logger.warning("order.sent url=%s", f"https://x/api?symbol=A&signature={'ab' * 32}&a=1")
    logger.warning("key=%s", CANARY)
    logger.error("header X-MBX-APIKEY: abcdefgh and Bearer tsk_abcdefghijkl")
    logger.error("db postgres://ann:hunter22@host/db")
    logger.error("hook https://hooks.slack.com/services/T0/B0/XyZ")
    try:
        raise RuntimeError(f"refused {CANARY}")
    except RuntimeError:
        logger.exception("order.failed")
    structlog.wrap_logger(logger, wrapper_class=structlog.stdlib.BoundLogger).info(
        "bound", api_secret="plain-secret", order_id=7
    )

    text = file.read_text()

    for secret in (CANARY, "abab", "abcdefgh", "hunter22", "XyZ", "plain-secret"):
        assert secret not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 7
    assert lines[-1]["order_id"] == 7
    assert {"timestamp", "level", "logger", "event"} <= set(lines[0])


def test_a_line_break_cannot_forge_a_line(log):
    logger, file = log
    logger.warning("symbol=%s", 'BTC\n{"event": "forged"}')

    assert len(file.read_text().splitlines()) == 1


def test_context_travels_with_the_lines(log):
    logger, file = log
    with structlog.contextvars.bound_contextvars(component="worker.orders", order_id=9):
        logger.info("order.submitted")

    line = json.loads(file.read_text())

    assert (line["component"], line["order_id"]) == ("worker.orders", 9)


def test_two_processes_rotate_one_file_without_losing_lines(tmp_path):
    path = tmp_path / "shared.log"
    handlers = [SharedRotatingFileHandler(str(path), max_bytes=2000, backups=50) for _ in range(2)]
    for number in range(200):
        record = logging.LogRecord("x", 20, "", 0, f"line {number:04d}", None, None)
        handlers[number % 2].handle(record)
    for handler in handlers:
        handler.close()

    lines = [
        line
        for file in tmp_path.glob("shared.log*")
        if file.suffix != ".lock"
        for line in file.read_text().splitlines()
    ]
    assert sorted(lines) == [f"line {number:04d}" for number in range(200)]


def test_masking_keeps_what_is_no_secret():
    assert mask({"order_id": 7, "token": "", "note": "price=5", "rows": [1, {"dek": "x"}]}) == {
        "order_id": 7,
        "token": "",
        "note": "price=5",
        "rows": [1, {"dek": "•••"}],
    }


def test_no_secret_reaches_sentry():
    register_secret(CANARY)
    envelopes = []

    class Keep(Transport):
        def capture_envelope(self, envelope):
            envelopes.append(envelope.serialize().decode())

    started = init_sentry(
        dsn="http://public@127.0.0.1:1/1",
        environment="test",
        transport=Keep,
        default_integrations=False,
    )
    try:
        api_secret = "local-variable-secret"
        sentry_sdk.set_context("order", {"api_secret": "in-context-x", "note": f"has {CANARY}"})
        try:
            raise RuntimeError(f"GET /x?signature={'cd' * 32} {CANARY} {len(api_secret)}")
        except RuntimeError:
            sentry_sdk.capture_exception()
    finally:
        sentry_sdk.get_client().close()
        sentry_sdk.init()

    assert started
    (sent,) = envelopes
    for secret in (CANARY, "cdcd", "local-variable-secret", "in-context-x"):
        assert secret not in sent


def test_sentry_stays_off_without_an_address():
    assert not init_sentry(dsn="", environment="test")
