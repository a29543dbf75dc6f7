"""The containers' health checks ask for signs of life where the dashboard does."""

import json
import os
import subprocess
import sys
import time

import pytest
import yaml
from django.conf import settings
from django.utils import timezone

from core import health, redis_client
from tests.processes import ROOT

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def probe(*command: str) -> int:
    environment = {
        **os.environ,
        "REDIS_URL": settings.REDIS_URL,
        "REDIS_PREFIX": settings.REDIS_PREFIX,
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    return done.returncode


@pytest.mark.parametrize("service", ["beat", "stream-market", "stream-user", "guard"])
def test_it_says_no_before_the_first_sign_and_after_the_last(redis_url: str, service: str) -> None:
    kind, program, *command = SERVICES[service]["healthcheck"]["test"]
    component = command[-1]

    silent = probe(*command)
    health.beat(component, now=timezone.now(), interval_s=10)
    alive = probe(*command)
    old = {"wall_s": time.time() - 61, "interval_s": 10}
    redis_client.get_client().hset(redis_client.key("health"), component, json.dumps(old))
    dead = probe(*command)

    assert (kind, program) == ("CMD", "python")
    assert (silent, alive, dead) == (1, 0, 1)


def test_it_says_no_when_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")

    assert probe("scripts/probe.py", "guard") == 1
