import json
from pathlib import Path
from typing import Any

import pytest

import bench.__main__ as program
from bench.results import Goal, save
from bench.sample import median, percentile


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1.0), (50, 2.5), (100, 4.0), (95, 3.85), (25, 1.75)]
)
def test_it_interpolates_percentiles(percent: float, expected: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == pytest.approx(expected)


def test_the_median_of_one_is_itself() -> None:
    assert median([7.0]) == 7.0


def ratio(top: float, bottom: float) -> float:
    return top / bottom


@pytest.mark.parametrize(
    ("is_at_least", "figures", "expected"),
    [
        (False, {"a": 5.0, "b": 2.0}, (2.5, True)),
        (False, {"a": 6.0, "b": 2.0}, (3.0, False)),
        (True, {"a": 6.0, "b": 2.0}, (3.0, True)),
        (True, {"a": 4.0, "b": 2.0}, (2.0, False)),
        (True, {"a": 4.0}, None),
    ],
)
def test_a_goal_is_judged_by_its_ratio(
    *, is_at_least: bool, figures: dict[str, float], expected: tuple[float, bool] | None
) -> None:
    goal = Goal("a / b", ("a", "b"), ratio, 2.5, is_at_least=is_at_least)

    assert goal.judge(figures) == expected


def test_a_run_of_a_few_sections_keeps_the_other_figures(tmp_path: Path) -> None:
    file = tmp_path / "var" / "bench.json"

    save(file, {"a": 1, "b": 2})
    save(file, {"b": 3})

    assert json.loads(file.read_text()) == {"a": 1, "b": 3}


def test_a_failing_section_leaves_the_others_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: dict[str, dict[str, Any] | None] = {"sim": None, "push": {"push_lost": 0}}
    monkeypatch.setattr(program, "_run", lambda name, **_: found[name])
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    status = program.main(["--only", "sim", "push"])

    written = json.loads((tmp_path / "bench.json").read_text())
    assert status == 1
    assert written["push_lost"] == 0
    assert {"machine", "python", "commit", "at"} <= written.keys()
    assert "failed: sim" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        ([], [*program.SECTIONS]),
        (["--peers"], [*program.SECTIONS, *program.PEERS]),
        (["--only", "sim", "--cold"], ["sim", program.COLD]),
    ],
)
def test_it_runs_what_is_asked_for(
    arguments: list[str], ran: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []

    def note(name: str, **_: Any) -> dict[str, Any]:
        names.append(name)
        return {}

    monkeypatch.setattr(program, "_run", note)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    assert program.main(arguments) == 0
    assert names == ran
