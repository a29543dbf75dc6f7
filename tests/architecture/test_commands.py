"""Every command of ours explains itself, and documents name only commands that exist."""

import re

import pytest
from django.core.management import get_commands, load_command_class

from tests.architecture.tree import APPS, short, tracked_files

NAMED = re.compile(r"manage\.py ([a-z][a-z_]+)")


def our_commands() -> list[tuple[str, str]]:
    """Return ``(app, command)`` for every management command of this project."""
    ours = {*APPS, "tradingsite"}
    return sorted((app, name) for name, app in get_commands().items() if app in ours)


@pytest.mark.parametrize(("app", "name"), our_commands())
def test_it_answers_help_with_an_example(app, name):
    text = load_command_class(app, name).create_parser("manage.py", name).format_help()

    without_usage = " ".join(text.split("\n\n", 1)[1].split())
    assert f"manage.py {name}" in without_usage, "no example of its use in its help"


@pytest.mark.parametrize(
    "document", [path for path in tracked_files() if path.suffix == ".md"], ids=short
)
def test_it_documents_only_commands_that_exist(document):
    named = set(NAMED.findall(document.read_text()))

    assert named <= set(get_commands())
