"""``python -m bench.section NAME FOLDER``: one section in this process."""

import importlib
import json
import signal
import sys
from pathlib import Path
from types import FrameType


def main(name: str, folder: Path) -> None:
    """Measure and write FOLDER/figures.json."""
    # SIGTERM unwinds the stack, so that every server started here is ended.
    signal.signal(signal.SIGTERM, _stop)
    figures = importlib.import_module(f"bench.sections.{name}").measure(folder)
    (folder / "figures.json").write_text(json.dumps(figures))


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
