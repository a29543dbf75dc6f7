"""Environments of peers and clients: made once, and an unreachable registry told apart."""

import sys
from pathlib import Path

import pytest

from bench.peers import environment

STAND_IN = """#!/bin/sh
echo "$@" >> {asked}
for last; do :; done
if [ "$1" = venv ]; then exec mkdir -p "$last"; fi
echo "{says}" >&2
[ -z "{says}" ]
"""


def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, says: str = "") -> Path:
    """Put a `uv` first on the path that notes what it was asked, and fails if it has words."""
    asked = tmp_path / "asked"
    script = tmp_path / "bin/uv"
    script.parent.mkdir()
    script.write_text(STAND_IN.format(asked=asked, says=says), encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=":")
    return asked


def test_it_makes_an_environment_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = installer(tmp_path, monkeypatch)
    steps = (("one==1", "two"), ("--no-deps", "three"))

    python = environment.make(tmp_path / "own", steps)
    again = environment.make(tmp_path / "own", steps)

    assert python == again == tmp_path / "own/bin/python"
    made, *installed = asked.read_text().splitlines()
    assert made == f"venv --quiet --python {sys.executable} --clear {tmp_path / 'own'}"
    assert installed == [
        f"pip install --quiet --python {python} one==1 two",
        f"pip install --quiet --python {python} --no-deps three",
    ]


def test_it_makes_it_anew_for_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = installer(tmp_path, monkeypatch)

    environment.make(tmp_path / "own", (("one==1",),))
    environment.make(tmp_path / "own", (("one==2",),))

    lasts = [line.split()[-1] for line in asked.read_text().splitlines()]
    assert lasts == [str(tmp_path / "own"), "one==1", str(tmp_path / "own"), "one==2"]


@pytest.mark.parametrize(
    ("says", "kind"),
    [
        ("error sending request for url", environment.Unreachable),
        ("client error (Connect): dns error", environment.Unreachable),
        ("No solution found when resolving dependencies", environment.Uninstallable),
    ],
)
def test_it_tells_no_registry_from_no_such_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, kind: type[Exception]
) -> None:
    installer(tmp_path, monkeypatch, says=says)

    with pytest.raises(environment.Uninstallable, match=r"own could not be installed") as raised:
        environment.make(tmp_path / "own", (("one==1",),))

    assert type(raised.value) is kind
    assert not (tmp_path / "own/installed.txt").exists()
