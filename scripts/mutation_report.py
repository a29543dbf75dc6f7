"""Write docs/mutation.md: the figures, and every survivor with its explanation."""

from datetime import UTC, datetime
from pathlib import Path

from mutation_results import Module, Survivor

HEAD = """# Mutation testing

Would a test notice if the code that carries money were wrong? `make mutation` changes it in one
place at a time (a `<` becomes `<=`, a `+` a `-`, an argument is dropped, a string gets other
letters) and runs the tests that reach the changed function. A change that no test notices
survives and is either a missing test, or explained below.

    make mutation                                  # everything; goes on where it was stopped
    make mutation ONLY=risk/domain/stops.py        # one module, or a group of scripts/mutation.toml
    make mutation ONLY="--again risk/domain/stops.py"   # once more its survivors, after new tests
    make mutation ONLY="--children 2 kill"         # two changes at once
    make mutation ONLY=--report                    # write this page anew from what was run

The tool is mutmut. What it leaves alone is prepared for it: `scripts/mutation_sources.py` unfolds
properties and services in `transaction.atomic`, so these are changed too. Prose (strings with a
space in them, log lines) is not changed. Tables at the top of a module are not changed either:
their rows are written a second time in the tests (`test_order.py`, `test_fill.py` and
`test_outcome.py` in `tests/unit/execution/domain`; `test_trading_state.py` and `test_limits.py` in
`tests/unit/risk/domain`). Services run on SQLite; what only PostgreSQL executes (advisory locks,
`FOR SHARE`) would never be noticed there and is not changed. `make test-postgres` and
`tests/integration/execution/test_races.py` hold those lines.

The score counts every survivor, the explained ones too.
"""
PARTIAL = """Where changes were not run the module has no score: among them are survivors that wait
for a second look after new tests."""


def write_report(
    path: Path, modules: list[Module], *, expected: list[str], explained: list[dict[str, str]]
) -> None:
    """Write the page.

    Args:
        path: Where to.
        modules: What was run.
        expected: Every module that belongs to it.
        explained: ``module``, ``after`` (the line as changed, or what was left out) and ``why`` of
            each known survivor.
    """
    reasons = {(item["module"], item["after"]): item["why"] for item in explained}
    modules = [module for module in modules if module.score is not None]
    lines = [HEAD, f"## Figures\n\nAs of {datetime.now(UTC):%Y-%m-%d}.\n"]
    lines += ["| Module | Noticed | Survived | Score |", "| --- | ---: | ---: | ---: |"]
    lines += [_row(module) for module in modules]
    killed = sum(module.killed for module in modules)
    survived = sum(len(module.survivors) for module in modules)
    total = killed / max(killed + survived, 1)
    is_whole = not any(module.unchecked for module in modules)
    score = f"{total:.1%}" if is_whole else "none yet"
    lines += [f"| **all** | **{killed}** | **{survived}** | **{score}** |", ""]
    if not all(module.is_current for module in modules):
        lines += ["\\* The module was changed after this run; run it again.", ""]
    if any(module.unchecked for module in modules):
        lines += [PARTIAL, ""]
    if missing := sorted(set(expected) - {module.path for module in modules}):
        lines += [f"Not run yet: {', '.join(f'`{path}`' for path in missing)}.", ""]
    lines += ["## Survivors", ""]
    for module in modules:
        lines += _survivors(module, reasons)
    path.write_text("\n".join(lines).rstrip() + "\n", "utf-8")


def _row(module: Module) -> str:
    score = f"{module.unchecked} not run" if module.unchecked else f"{module.score:.1%}"
    star = "" if module.is_current else " \\*"
    return f"| `{module.path}`{star} | {module.killed} | {len(module.survivors)} | {score} |"


def _survivors(module: Module, reasons: dict[tuple[str, str], str]) -> list[str]:
    if not module.survivors:
        return []
    lines = [f"### {module.path}", ""]
    for survivor in module.survivors:
        why = reasons.get(
            (module.path, survivor.after or survivor.before), "open, run it again after new tests"
        )
        lines.append(f"- `{survivor.function}`: {_change(survivor)}: {why}.")
    return [*lines, ""]


def _change(survivor: Survivor) -> str:
    if not survivor.after:
        return f"without `{survivor.before}`"
    return (
        f"`{survivor.after}` for `{survivor.before}`" if survivor.before else f"`{survivor.after}`"
    )
