"""Our processes as forks of the template: real processes, looked at from outside."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests import processes
from tradingsite.supervisor import forking
from tradingsite.supervisor.child import Child
from tradingsite.supervisor.forking import Forked, Template, can_fork
from tradingsite.supervisor.launching import ProcessSpec, execute

pytestmark = pytest.mark.skipif(not can_fork(), reason="forks on Linux only")

SESSION = Path("/proc/self/autogroup")
TELL = """
import json, os, sys, threading
from django.conf import settings
print(json.dumps({
    "argv": sys.argv, "name": __name__, "component": settings.COMPONENT,
    "mode": settings.TRADING_MODE,
    "parent": os.getppid(), "leads": os.getsid(0) == os.getpid(),
    "policy": os.sched_getscheduler(0), "threads": threading.active_count(),
    "open": len(os.listdir("/proc/self/fd")),
    "cmdline": open("/proc/self/cmdline").read(), "celery": "celery.apps.worker" in sys.modules,
}))
print("an error line", file=sys.stderr)
sys.exit(3)
"""
SLEEP = "import time\ntime.sleep(600)\n"
SUPERVISE = """
import os, sys, time
from pathlib import Path
from tradingsite.supervisor.forking import Template
from tradingsite.supervisor.launching import ProcessSpec
spec = ProcessSpec(name="sleeper", argv=(sys.executable, sys.argv[1]), is_ours=True)
template = Template()
print(template.pid, template.fork(spec, dict(os.environ), Path(sys.argv[2])).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if key != "COMPONENT"},
        "DJANGO_SETTINGS_MODULE": "tradingsite.settings.dev",
        "DATA_DIR": str(tmp_path_factory.mktemp("desk")),
        "ENV_FILE": "",
        "TRADING_MODE": "demo",
        "PYTHONPATH": str(processes.ROOT),
    }


@pytest.fixture
def template() -> Iterator[Template]:
    made = Template()
    yield made
    made.close()


def program(folder: Path, text: str, **more: object) -> ProcessSpec:
    path = folder / "program.py"
    path.write_text(text)
    return ProcessSpec(
        name="teller",
        argv=(sys.executable, str(path), "--one", "two"),
        env={"COMPONENT": "worker.teller"},
        is_ours=True,
        **more,
    )


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_runs_a_program_as_if_started_by_itself(template, environment, tmp_path):
    log = tmp_path / "teller.log"
    log.write_text("before\n")

    process = template.fork(program(tmp_path, TELL, stands_back=True), environment, log)

    assert isinstance(process, Forked)
    assert process.wait(60) == 3
    said = log.read_text().splitlines()
    assert said[0] == "before"
    assert "an error line" in said
    told = json.loads(next(line for line in said if line.startswith("{")))
    assert told.pop("cmdline").startswith("trading: teller")
    assert told == {
        "argv": [str(tmp_path / "program.py"), "--one", "two"],
        "name": "__main__",
        "component": "worker.teller",
        "mode": "demo",
        "parent": os.getpid(),
        "leads": True,
        "policy": os.SCHED_IDLE,
        "threads": 1,
        "open": 4,  # the standard three, and the folder that counts them
        "celery": True,
    }


def test_it_starts_the_plain_way_what_is_not_ours_or_has_another_environment(
    template, environment, tmp_path
):
    ours = program(tmp_path, TELL)
    log = tmp_path / "log"

    started = [
        template.fork(ours, environment, log),
        template.fork(ours, {**environment, "TRADING_MODE": "testnet"}, log),
        template.fork(ProcessSpec(name="true", argv=("true",)), environment, log),
    ]

    assert [isinstance(process, Forked) for process in started] == [True, False, False]
    assert [process.wait(60) for process in started] == [3, 3, 0]
    assert '"mode": "testnet"' in log.read_text()


def test_who_stands_back_takes_only_its_own_session_along(tmp_path):
    seen = "import os, pathlib as p; s = p.Path('/proc/self/autogroup'); print(os.nice(0), "
    seen += "os.sched_getscheduler(0), s.read_text().split()[-1] if s.exists() else 19)"
    argv, log = (sys.executable, "-S", "-c", seen), tmp_path / "log"
    before = [SESSION.read_text() if SESSION.exists() else "", os.sched_getscheduler(0)]

    for stands_back in (False, True):
        spec = ProcessSpec(name="teller", argv=argv, stands_back=stands_back)
        assert execute(spec, os.environ, log).wait(60) == 0

    usual, behind = (line.split() for line in log.read_text().splitlines())
    assert usual[1] == str(os.SCHED_OTHER)
    assert behind == ["19", str(os.SCHED_IDLE), "19"]
    assert [SESSION.read_text() if SESSION.exists() else "", os.sched_getscheduler(0)] == before


def test_what_was_forked_outlives_the_template(template, environment, tmp_path):
    spec, log = program(tmp_path, SLEEP), tmp_path / "log"
    first = template.fork(spec, environment, log)

    os.kill(template.pid, signal.SIGKILL)
    until(lambda: not template.is_alive)
    second = template.fork(spec, environment, log)

    try:
        assert first.poll() is None
        assert psutil.Process(first.pid).ppid() == os.getpid()
        assert not isinstance(second, Forked)
        assert not template.has_failed
    finally:
        for process in (first, second):
            os.kill(process.pid, signal.SIGKILL)
    assert [process.wait(10) for process in (first, second)] == [-signal.SIGKILL] * 2


def test_a_template_that_does_not_answer_is_ended(template, environment, tmp_path, monkeypatch):
    spec, log = program(tmp_path, TELL), tmp_path / "log"
    assert template.fork(spec, environment, log).wait(60) == 3
    monkeypatch.setattr(forking, "_FORK_LIMIT_S", 0.2)
    os.kill(template.pid, signal.SIGSTOP)

    process = template.fork(spec, environment, log)

    assert not isinstance(process, Forked)
    assert process.wait(60) == 3
    assert template.has_failed
    assert not template.is_alive


def test_all_end_with_a_supervisor_that_is_killed(environment, tmp_path):
    for name, text in {"supervise.py": SUPERVISE, "sleep.py": SLEEP}.items():
        (tmp_path / name).write_text(text)
    supervisor = subprocess.Popen(
        [
            sys.executable,
            str(tmp_path / "supervise.py"),
            str(tmp_path / "sleep.py"),
            str(tmp_path / "log"),
        ],
        cwd=processes.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    family = [psutil.Process(int(pid)) for pid in supervisor.stdout.readline().split()]

    supervisor.kill()
    supervisor.wait()

    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []


def test_a_process_that_died_takes_what_it_started_along(template, environment, tmp_path):
    text = "import subprocess\nprint(subprocess.Popen(['sleep', '600']).pid, flush=True)\n" + SLEEP
    child = Child(
        program(tmp_path, text), log_dir=tmp_path, environment=environment, launch=template.fork
    )
    child.start()
    until(child.last_lines)
    helper = psutil.Process(int(child.last_lines()))
    os.kill(child.pid, signal.SIGKILL)

    until(lambda: child.revive() is not None)

    _, alive = psutil.wait_procs([helper], timeout=30)
    assert alive == []
