import re

import pytest
from django.core.management import call_command

from tradingsite.management.commands.create_env import render_example
from tradingsite.settings.env import ROOT
from tradingsite.settings.variables import VARIABLES

# Read by the key store and by docker-compose.yml instead.
ELSEWHERE = {"BINANCE_API_KEY", "BINANCE_API_SECRET", "POSTGRES_PASSWORD", "REDIS_PASSWORD"}
READERS = re.compile(r'env\.(?:text|flag|integer|choice|words|folder)\(\s*"([A-Z_]+)"')


def test_every_variable_that_the_settings_read_is_described():
    files = (ROOT / "tradingsite" / "settings").glob("*.py")
    read = {name for file in files for name in READERS.findall(file.read_text())}

    assert read == {variable.name for variable in VARIABLES} - ELSEWHERE


def test_the_example_in_the_repository_is_current():
    assert (ROOT / ".env.example").read_text() == render_example()


def test_the_example_sets_nothing():
    lines = render_example().splitlines()

    assert all(line.startswith("#") or not line for line in lines)


def test_it_writes_an_env_with_fresh_secrets_that_only_the_owner_reads(tmp_path):
    call_command("create_env", folder=tmp_path)
    (other := tmp_path / "other").mkdir()
    call_command("create_env", folder=other)

    text = (tmp_path / ".env").read_text()
    found = dict(re.findall(r"^([A-Z_]+)=(.+)$", text, re.MULTILINE))
    assert set(found) == {variable.name for variable in VARIABLES if variable.is_generated}
    assert all(len(value) >= 40 for value in found.values())
    assert len(set(found.values())) == len(found)
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert text != (other / ".env").read_text()


def test_it_leaves_an_existing_env_alone(tmp_path, capsys):
    (tmp_path / ".env").write_text("MINE=1\n")

    call_command("create_env", folder=tmp_path)

    assert (tmp_path / ".env").read_text() == "MINE=1\n"
    assert "stays as it is" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["API_TOKEN", "MASTER_PASSWORD", "SECRET_KEY"])
def test_secrets_are_marked_as_such(name):
    (variable,) = (variable for variable in VARIABLES if variable.name == name)

    assert variable.is_secret
    assert variable.example == ""
