"""Read what mutmut found: per module how many changes were noticed, and which were not."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

from mutation_sources import unfold
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parent.parent

NOTICED = ("killed", "timeout", "segfault")
NOT_COUNTED = ("skipped", "not checked", "caught by type check")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """One change that no test noticed: where, and the lines before and after it."""

    function: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """The figures of one module.

    Attributes:
        unchecked: Changes that were not tried (yet).
        is_current: Whether the module is today as it was when it was run.
    """

    path: str
    is_current: bool
    killed: int
    unchecked: int
    survivors: tuple[Survivor, ...]

    @property
    def score(self) -> float | None:
        """Share of the changes that were noticed, 0-1; None when nothing was run."""
        total = self.killed + len(self.survivors)
        return self.killed / total if total else None


def read_modules(folder: Path, paths: list[str]) -> list[Module]:
    """Return the modules of a group that have results."""
    return [_read(folder, path) for path in paths if _meta(folder, path).is_file()]


def forget_survivors(folder: Path, paths: list[str]) -> None:
    """Make mutmut ask again about what was not killed in these modules."""
    for path in paths:
        meta = _meta(folder, path)
        if not meta.is_file():
            continue
        data = json.loads(meta.read_text("utf-8"))
        data["exit_code_by_key"] = {
            key: code if status_by_exit_code[code] in NOTICED else None
            for key, code in data["exit_code_by_key"].items()
        }
        meta.write_text(json.dumps(data), "utf-8")


def print_table(modules: list[Module]) -> None:
    """Print one line for each module, the worst first."""
    print(f"{'module':44} {'noticed':>8} {'survived':>9} {'score':>7}  not run")
    for module in sorted(modules, key=lambda each: each.score if each.score is not None else 2):
        score = "-" if module.score is None else f"{module.score:.1%}"
        counts = f"{module.killed:8} {len(module.survivors):9} {score:>7}  {module.unchecked or ''}"
        print(f"{module.path:44} {counts}")


def _meta(folder: Path, path: str) -> Path:
    return folder / "mutants" / f"{path}.meta"


def _read(folder: Path, path: str) -> Module:
    codes = json.loads(_meta(folder, path).read_text("utf-8"))["exit_code_by_key"]
    statuses = {key: status_by_exit_code[code] for key, code in codes.items()}
    with contextlib.chdir(folder):
        survivors = tuple(
            _survivor(key, path)
            for key, status in statuses.items()
            if status not in NOTICED + NOT_COUNTED
        )
    return Module(
        path=path,
        is_current=(folder / path).read_text("utf-8") == unfold((ROOT / path).read_text("utf-8")),
        killed=sum(status in NOTICED for status in statuses.values()),
        unchecked=sum(status in NOT_COUNTED for status in statuses.values()),
        survivors=survivors,
    )


def _survivor(key: str, path: str) -> Survivor:
    difference = get_diff_for_mutant(key, path=path).splitlines()
    body = [line for line in difference if not line.startswith(("---", "+++", "@@"))]
    function = key.rpartition(".")[2].split("__mutmut_")[0].removeprefix("x_")
    return Survivor(
        function=function.removeprefix("xǁ").replace("ǁ", "."),
        before=" ".join(line[1:].strip() for line in body if line.startswith("-")),
        after=" ".join(line[1:].strip() for line in body if line.startswith("+")),
    )
