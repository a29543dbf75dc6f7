"""What mutmut is given does the same as the code it was made from."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCE = '''
import contextlib

calls = []


class Box:
    """A box {with} words."""

    def __init__(self, width):
        self.width = width

    @property
    def area(self):
        return self.width * 2

    @staticmethod
    def name():
        return "a {box} of \\"words\\""


@contextlib.contextmanager
def inside(what):
    calls.append(f"in {what}")
    yield what
    calls.append("out")


def taped(function):
    return lambda *given: calls.append("taped") or function(*given)


@taped
@contextlib.contextmanager
def twice(what):
    yield what * 2


def lock(connection):
    if connection.vendor == "postgresql":
        return "locked there"
    return "locked"
'''


@pytest.fixture(scope="module")
def unfolded() -> str:
    path = ROOT / "scripts" / "mutation_sources.py"
    spec = importlib.util.spec_from_file_location("mutation_sources", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.unfold(SOURCE)


def test_it_leaves_no_function_behind_a_decorator(unfolded):
    assert "@property" not in unfolded
    assert "    area = property(area)" in unfolded
    assert "inside = contextlib.contextmanager(inside)" in unfolded
    assert "twice = taped(contextlib.contextmanager(twice))" in unfolded
    assert "@staticmethod" in unfolded  # mutmut knows that one


def test_it_does_the_same(unfolded):
    names = {}
    exec(compile(unfolded, "unfolded", "exec"), names)  # noqa: S102 - our own text, above

    assert names["Box"](3).area == 6
    assert names["Box"].name() == 'a {box} of "words"'
    with names["inside"]("it") as what:
        assert what == "it"
    with names["twice"](4) as what:
        assert what == 8
    assert names["calls"] == ["in it", "out", "taped"]


def test_it_marks_what_sqlite_never_executes(unfolded):
    marked = [line.strip() for line in unfolded.splitlines() if "no mutate" in line]

    assert marked == ['if connection.vendor == "postgresql":  # pragma: no mutate block']
