"""Domain code, ports and the backtester import without any framework being there."""

import json
import subprocess
import sys

from tests.architecture.tree import APPS, ROOT, module_name, python_files

BLOCKED = (
    "django",
    "rest_framework",
    "channels",
    "celery",
    "redis",
    "requests",
    "boto3",
    "binance",
    "environ",
    "apprise",
    "tradingsite",
)
PROGRAM = """
import importlib, json, sys

modules, blocked = json.loads(sys.stdin.read())

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} is blocked here")

sys.meta_path.insert(0, Blocker())
for module in modules:
    try:
        importlib.import_module(module)
    except ImportError as error:
        print(f"{module}: {error}")
"""


def is_pure(module: str) -> bool:
    """Tell whether the module promises to be free of frameworks."""
    parts = module.split(".")
    return "domain" in parts[1:] or "ports" in parts[1:] or module.startswith("execution.backtest")


def test_it_imports_the_domain_of_every_app_without_a_framework():
    modules = [name for path in python_files(*APPS) if is_pure(name := module_name(path))]

    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([modules, BLOCKED]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(modules) >= 2
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


def test_it_would_notice_a_framework_in_the_domain():
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([["core.apps"], BLOCKED]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "django.apps is blocked here" in result.stdout or "django is blocked" in result.stdout
