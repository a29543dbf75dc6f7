"""Change the code that carries money, one small change at a time: does a test notice?

    python scripts/mutation.py [--again] [--children N] [GROUP or MODULE ...]   run; all by default
    python scripts/mutation.py --report                                    write docs/mutation.md

The work is mutmut's; `mutation.toml` says what belongs together. Each group has a copy of the
tree under ``var/mutation``, so a run can be stopped and goes on where it was. ``--again`` asks
once more about the survivors, after new tests.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from mutation_report import write_report
from mutation_results import forget_survivors, print_table, read_modules
from mutation_sources import unfold

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "scripts" / "mutation.toml"
PYTHON_FOLDERS = (
    "alerts", "core", "execution", "markets", "mlmodels", "risk", "sentiment", "simexchange",
    "tradingsite", "scripts",
)  # fmt: skip
COPIED_BESIDE = ("manage.py", "celeryconfig.py", "templates", "static", "bench", "docs")
MUTMUT = """
[tool.mutmut]
source_paths = {sources}
only_mutate = {modules}
also_copy = {beside}
pytest_add_cli_args = [
  "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "mutation_plugin", "-o", "timeout=0",
]
pytest_add_cli_args_test_selection = {tests}
do_not_mutate_patterns = ['logger\\.\\w+\\(']
track_dependencies = false
on_dependency_change = "ignore"
timeout_constant = 6.0
timeout_multiplier = 10.0
"""


def main() -> int:
    """Run the groups and print how many changes were noticed."""
    arguments = _arguments()
    config = tomllib.loads(CONFIG.read_text("utf-8"))
    groups = config["groups"]
    base = ROOT / "var" / "mutation"
    if not arguments.report:
        for name, modules in _chosen(groups, arguments.names).items():
            _run(
                base / name,
                groups[name],
                modules,
                again=arguments.again,
                children=arguments.children,
            )
    modules = [
        module for name in groups for module in read_modules(base / name, groups[name]["modules"])
    ]
    print_table(modules)
    if arguments.report:
        write_report(
            ROOT / "docs" / "mutation.md",
            modules,
            expected=[path for name in groups for path in groups[name]["modules"]],
            explained=config.get("explained", []),
        )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="groups or modules of mutation.toml")
    parser.add_argument("--again", action="store_true", help="ask about the survivors once more")
    parser.add_argument("--children", type=int, default=1, help="processes at once; 1 by default")
    parser.add_argument("--report", action="store_true", help="write docs/mutation.md, run nothing")
    return parser.parse_args()


def _chosen(groups: dict, names: list[str]) -> dict[str, list[str]]:
    """Return the modules asked for, by group; an empty list means the whole group."""
    if not names:
        return {name: [] for name in groups}
    chosen: dict[str, list[str]] = {}
    for name in names:
        if name in groups:
            chosen[name] = []
            continue
        owner = next((group for group in groups if name in groups[group]["modules"]), None)
        if owner is None:
            known = ", ".join(groups)
            sys.exit(f"mutation: {name} is no group ({known}) and no module of {CONFIG.name}")
        chosen.setdefault(owner, []).append(name)
    return chosen


def _run(folder: Path, group: dict, modules: list[str], *, again: bool, children: int) -> None:
    _copy_tree(folder, group)
    if again:
        forget_survivors(folder, modules or group["modules"])
        # mutmut keeps what each test reaches by the test's name; tests and functions have changed.
        (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    keys = [module.removesuffix(".py").replace("/", ".") + ".*" for module in modules]
    environment = {key: text for key, text in os.environ.items() if key != "DATABASE_URL"}
    environment["PYTHONPATH"] = str(ROOT / "scripts")
    environment["MUTATION_DATABASE"] = str((folder / "migrated.sqlite3").resolve())
    Path(environment["MUTATION_DATABASE"]).unlink(missing_ok=True)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(children), *keys]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def _copy_tree(folder: Path, group: dict) -> None:
    """Bring the copy up to date; a file that did not change keeps its results."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    for name in listed:
        if name.split("/")[0] not in (*PYTHON_FOLDERS, *COPIED_BESIDE, "tests"):
            continue
        if name not in group["modules"]:
            _write(folder / name, (ROOT / name).read_bytes())
            if name.startswith("tests/") and (folder / "mutants").is_dir():
                _write(folder / "mutants" / name, (ROOT / name).read_bytes())
            continue
        _write(folder / name, unfold((ROOT / name).read_text("utf-8")).encode())
    settings = MUTMUT.format(
        sources=list(PYTHON_FOLDERS),
        modules=group["modules"],
        beside=list(COPIED_BESIDE),
        tests=group["tests"],
    )
    project = (ROOT / "pyproject.toml").read_text("utf-8") + settings
    _write(folder / "pyproject.toml", project.encode())


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
