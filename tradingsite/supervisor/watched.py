"""``python -m tradingsite.supervisor.watched PROGRAM …``: one process, kept at work.

For process managers that look at whether a process lives, and not whether it works: containers,
systemd, a Procfile. PROGRAM is ``celery … -Q QUEUE …``, or ``python manage.py guard`` or one of the
streams. It is started again when it ends, and when its queue or its pulse stands still.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from core import pulse
from core.errors import NeedsOperator
from tradingsite.settings.env import folder, load_dotenv
from tradingsite.supervisor import plan
from tradingsite.supervisor.child import Child
from tradingsite.supervisor.desk import broker_line
from tradingsite.supervisor.runner import Supervisor

# What a submit on its way needs; the manager's own patience must be longer.
_STOP_TIMEOUT_S = 50.0
_TRY_AGAIN_S = 0.5


def main(argv: tuple[str, ...]) -> None:
    """Run the process until SIGTERM or SIGINT."""
    try:
        spec = plan.watched(argv, stop_timeout_s=_STOP_TIMEOUT_S)
    except NeedsOperator as error:
        sys.exit(f"usage: python -m tradingsite.supervisor.watched PROGRAM …\n{error}")
    load_dotenv()
    supervisor = Supervisor(log_dir=None, say=_say)
    supervisor.handle_signals()
    data_dir = folder("DATA_DIR", "var")
    children: list[Child] = []
    if spec.duty and spec.duty.pulse:
        _pass_on(children, data_dir=data_dir, name=spec.duty.pulse)
    children.append(supervisor.start(spec))
    supervisor.watch(broker=broker_line({}), data_dir=data_dir)
    supervisor.run()
    supervisor.stop()


def _pass_on(children: Sequence[Child], *, data_dir: Path, name: str) -> None:
    """Hand SIGUSR1, the guardian's kill switch, on to the process as soon as it can take it.

    It would end a process that has just been started; one that shows its pulse listens to it.

    Args:
        children: The process, as soon as there is one: the signal may come before.
        data_dir: Where its pulse is.
        name: Of its pulse.
    """

    def hand_on(_number: int, _frame: FrameType | None) -> None:
        for child in children:
            pid = child.pid
            if pid is not None and pulse.read(data_dir, name, pid=pid):
                os.kill(pid, signal.SIGUSR1)
                return
        signal.setitimer(signal.ITIMER_REAL, _TRY_AGAIN_S)

    signal.signal(signal.SIGUSR1, hand_on)
    signal.signal(signal.SIGALRM, hand_on)


def _say(line: str) -> None:
    sys.stderr.write(f"watched: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
