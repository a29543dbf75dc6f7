"""The container and process files are valid and start programs that exist."""

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from compose_spec import PyCompose
from django.core.management import get_commands

from tests.architecture.tree import APPS, ROOT
from tradingsite.supervisor.plan import duty_of

COMPOSE = ROOT / "docker-compose.yml"
IMAGES = ("postgres", "redis")
QUEUES = {"orders", "pipeline.0", "train", "default"}


def interpolate(text: str) -> str:
    """Fill in ``${NAME}`` the way compose does, with the default or a made-up value."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return re.sub(r"\$\{\w+(:\?[^}]*)?\}", "given", text).replace("$$", "$")


def services() -> dict[str, dict[str, Any]]:
    """Return the services of the compose file."""
    return dict(yaml.safe_load(interpolate(COMPOSE.read_text()))["services"])


def procfile() -> dict[str, list[str]]:
    """Return the commands of the Procfile."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    pairs = (line.split(":", 1) for line in lines if line.strip())
    return {name: shlex.split(interpolate(command)) for name, command in pairs}


def commands() -> list[Any]:
    """Return every command of ours, from both files."""
    compose = [
        pytest.param([*service.get("entrypoint", ()), *service["command"]], id=f"compose-{name}")
        for name, service in services().items()
        if name not in IMAGES
    ]
    return compose + [pytest.param(cmd, id=f"Procfile-{name}") for name, cmd in procfile().items()]


def test_it_fits_the_schema_of_the_compose_specification():
    schema = json.loads((ROOT / "tests/data/compose-spec/compose-spec.json").read_text())
    document = yaml.safe_load(interpolate(COMPOSE.read_text()))
    # This copy of the schema is older than the project's name in the file.
    assert document.pop("name") == "trading"

    jsonschema.validate(document, schema, cls=jsonschema.Draft201909Validator)

    document["services"]["web"]["helthcheck"] = {}
    with pytest.raises(jsonschema.ValidationError, match="helthcheck"):
        jsonschema.validate(document, schema, cls=jsonschema.Draft201909Validator)


def test_a_strict_reader_keeps_every_service():
    document = yaml.safe_load(interpolate(COMPOSE.read_text()))

    read = PyCompose.from_json(json.dumps(document))

    assert set(read.to_dict()["services"]) == set(document["services"])


@pytest.mark.parametrize("command", commands())
def test_it_starts_programs_that_exist(command):
    program, *arguments = _without_watcher(command)

    assert (Path(sys.executable).parent / program).exists(), program
    if program == "python":
        assert arguments[0] == "manage.py"
        assert arguments[1] in get_commands()
    elif program == "daphne":
        module, _, attribute = arguments[-1].partition(":")
        assert importlib.util.find_spec(module)
        assert attribute == "application"
    else:
        assert arguments[:2] == ["-A", "tradingsite"]
        assert arguments[2] in {"worker", "beat"}


def _without_watcher(command: list[str]) -> list[str]:
    """Return what a command runs; whatever has a duty is watched at it."""
    is_watched = command[:2] == ["python", "-m"]
    assert is_watched == bool(duty_of(tuple(command))), command
    if not is_watched:
        return command
    assert importlib.util.find_spec(command[2])
    return command[3:]


@pytest.mark.parametrize("source", ["compose", "Procfile"])
def test_it_gives_every_queue_a_worker_of_its_own(source):
    found = (
        procfile()
        if source == "Procfile"
        else {name: service.get("command", []) for name, service in services().items()}
    )

    served = [cmd[cmd.index("-Q") + 1] for cmd in found.values() if "-Q" in cmd]

    assert sorted(served) == sorted(QUEUES)


@pytest.mark.parametrize("name", sorted(services()))
def test_it_runs_every_service_without_privileges_and_restarts_it(name):
    service = services()[name]

    assert not service.get("privileged")
    assert "no-new-privileges:true" in service["security_opt"]
    once = {"migrate": "no", "prepare": "on-failure"}
    assert service["restart"] == once.get(name, "unless-stopped")
    assert "stop_grace_period" in service
    assert "healthcheck" in service
    if name != "postgres":
        assert service["read_only"] is True


def test_it_waits_for_the_migration_before_anything_of_ours_runs():
    waiting = {
        name: service["depends_on"]["migrate"]["condition"]
        for name, service in services().items()
        if name not in (*IMAGES, "migrate")
    }

    assert set(waiting.values()) == {"service_completed_successfully"}
    assert "redis" not in services()["guard"]["depends_on"]


def test_it_never_evicts_a_waiting_message():
    command = services()["redis"]["command"]

    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"


def test_it_writes_no_password_into_the_compose_file():
    text = COMPOSE.read_text()

    assert "POSTGRES_PASSWORD:?" in text
    assert "REDIS_PASSWORD:?" in text
    assert not re.search(r"PASSWORD: *[A-Za-z0-9]", text)


def test_it_runs_the_image_as_an_ordinary_user():
    text = (ROOT / "Dockerfile").read_text()

    assert re.search(r"^USER (?!root|0$)\w+$", text, flags=re.MULTILINE)
    assert "--require-hashes" in text
    assert ".env" in (ROOT / ".dockerignore").read_text().splitlines()


def test_it_copies_every_package_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert not {*APPS, "tradingsite", "simexchange", "scripts", "static"} & set(ignored)
