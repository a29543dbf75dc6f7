"""The exchange stands alone: what it imports is what its own requirements name."""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "simexchange"


def listed(path: Path) -> dict[str, str]:
    """Return the specifiers of a requirements file by package."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    found = (re.match(r"([A-Za-z0-9-]+)(\[\w+\])?(.*)", line) for line in lines if line)
    return {match[1]: match[3].strip() for match in found if match}


def imported(module: Path) -> set[str]:
    """Return the packages a module imports from outside."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"simexchange"}


def test_its_requirements_are_what_it_imports() -> None:
    names = set().union(*(imported(module) for module in PACKAGE.rglob("*.py")))

    # httptools is asked for by name when uvicorn is configured.
    assert names | {"httptools"} == listed(PACKAGE / "requirements.txt").keys()


def test_its_requirements_are_those_of_the_whole() -> None:
    whole = listed(ROOT / "requirements" / "base.in")

    for name, specifier in listed(PACKAGE / "requirements.txt").items():
        assert whole[name] == specifier
