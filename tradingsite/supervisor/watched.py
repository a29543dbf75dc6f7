"""``python -m tradingsite.supervisor.watched celery … -Q QUEUE …``: one worker, kept at work.

For process managers that look at whether a process lives, and not whether it works: containers,
systemd, a Procfile. The worker is started again when it ends, and when its queue stands still.
"""

import sys

from tradingsite.settings.env import load_dotenv
from tradingsite.supervisor import plan
from tradingsite.supervisor.desk import broker_line
from tradingsite.supervisor.runner import Supervisor

# What a submit on its way needs; the manager's own patience must be longer.
_STOP_TIMEOUT_S = 50.0


def main(argv: tuple[str, ...]) -> None:
    """Run the worker until SIGTERM or SIGINT."""
    if "-Q" not in argv:
        sys.exit("usage: python -m tradingsite.supervisor.watched celery … -Q QUEUE …")
    load_dotenv()
    queue = argv[argv.index("-Q") + 1]
    supervisor = Supervisor(log_dir=None, say=_say)
    supervisor.handle_signals()
    supervisor.start(plan.watched(argv, queue=queue, stop_timeout_s=_STOP_TIMEOUT_S))
    supervisor.watch_queues(broker_line({}))
    supervisor.run()
    supervisor.stop()


def _say(line: str) -> None:
    sys.stderr.write(f"watched: {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
