"""Files stay small, plainly named and free of this or any machine's paths and secrets."""

import ast
import re

from tests.architecture.tree import PACKAGES, ROOT, functions, python_files, short, tracked_files

MAX_LINES = 400
MAX_FUNCTION_LINES = 50  # without the docstring
VAGUE_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
# Written in pieces so that this file does not find itself.
MACHINE_PATHS = re.compile(
    "|".join(("/wor" + "k/", "/roo" + r"t/", "/hom" + r"e/\w", "/Use" + r"rs/\w", "/opt/" + "pypi"))
)
REGISTRY_HOSTS = re.compile(
    "|".join(
        (
            "files.python" + "hosted",
            "pypi.or" + "g/simple",
            "registry.npm" + "js",
            "--index" + "-url",
        )
    )
)
GENERATED = ("static/vendor/", "requirements.txt", "tests/requirements.txt")


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function):
        lines -= (first.end_lineno or 0) - first.lineno + 1
    return lines


def test_it_keeps_every_file_under_the_limit():
    files = python_files(*PACKAGES, "tests", "scripts", "bench")

    too_long = {
        short(path): lines
        for path in files
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }

    assert len(files) > 20
    assert too_long == {}


def test_it_keeps_every_function_short_enough_to_read_at_once():
    too_long = {
        f"{short(path)}:{function.name}": length
        for path in python_files(*PACKAGES)
        for function in functions(path)
        if (length := code_lines(function)) > MAX_FUNCTION_LINES
    }

    assert too_long == {}


def test_it_names_no_file_after_nothing():
    vague = [short(path) for path in python_files(*PACKAGES) if path.name in VAGUE_NAMES]

    assert vague == []


def test_it_mentions_no_path_of_a_machine_and_no_registry():
    found = []
    for path in tracked_files():
        if short(path).startswith(GENERATED):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{short(path)}:{number}: {line.strip()[:80]}"
            for number, line in enumerate(text.splitlines(), start=1)
            if MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line)
        ]

    assert found == []


def test_it_pins_requirements_by_hash_and_by_nothing_else():
    for name in ("requirements.txt", "tests/requirements.txt", "requirements/installer.txt"):
        text = (ROOT / name).read_text()
        pins = re.findall(r"^[A-Za-z0-9._-]+==\S+.*\\$", text, flags=re.MULTILINE)
        other = [
            line
            for line in text.splitlines()
            if line and not line.startswith(("#", "    --hash=sha256:")) and line not in pins
        ]

        assert pins, name
        assert other == [], name


def test_it_tracks_no_secret_and_no_state():
    names = [short(path) for path in tracked_files()]

    assert [name for name in names if name == ".env" or name.startswith("var/")] == []
    assert [name for name in names if name.endswith((".sqlite3", ".pem", ".key", ".log"))] == []


def test_make_test_runs_every_folder_of_tests():
    makefile = (ROOT / "Makefile").read_text()
    [listed] = re.findall(r"^TESTS := \$\(addprefix tests/,(.*)\)$", makefile, re.MULTILINE)

    found = {path.relative_to(ROOT / "tests").parts[0] for path in ROOT.glob("tests/**/test_*.py")}

    assert set(listed.split()) == found
