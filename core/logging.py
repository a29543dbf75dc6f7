"""Logs: to the console for people, to ``trading_system.log`` as JSON lines; never a secret."""

import contextlib
import fcntl
import logging
import logging.handlers
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

from core.masking import mask, mask_text

MAX_BYTES = 20_000_000
BACKUPS = 5
# These write whole addresses, with signatures and tokens, at DEBUG.
_TALKATIVE = ("urllib3", "requests", "websockets", "asyncio", "botocore", "binance")
_FIELDS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.CallsiteParameterAdder({structlog.processors.CallsiteParameter.PROCESS}),
]


class SharedRotatingFileHandler(logging.handlers.RotatingFileHandler):
    """A rotating file that several processes write: one rotates, the others follow.

    Opened at the first line, so that a command that logs nothing makes no file.
    """

    def __init__(self, filename: str, max_bytes: int = MAX_BYTES, backups: int = BACKUPS) -> None:
        super().__init__(
            filename, maxBytes=max_bytes, backupCount=backups, encoding="utf-8", delay=True
        )

    def _open(self) -> Any:
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        return super()._open()

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the standard's name
        self._follow()
        return bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802 - the standard's name
        with Path(f"{self.baseFilename}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._follow()
            # Somebody else may have rotated while we waited for the lock.
            if self.stream is None or os.fstat(self.stream.fileno()).st_size * 2 > self.maxBytes:
                super().doRollover()

    def _follow(self) -> None:
        """Open the file anew when its name now belongs to another one."""
        if self.stream is None:
            self.stream = self._open()
            return
        ours = os.fstat(self.stream.fileno())
        with contextlib.suppress(FileNotFoundError):
            now = Path(self.baseFilename).stat()
            if (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino):
                return
        self.stream.close()
        self.stream = self._open()


def mask_event(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Mask what is said, its fields and its traceback. Runs last before rendering."""
    return mask({name: value for name, value in event.items() if not name.startswith("_")})


class _MaskedFormatter(structlog.stdlib.ProcessorFormatter):
    """Masks the finished line once more: tracebacks and foreign arguments end up there."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_text(super().format(record)).replace("\r", "\\r")


def build_logging(*, level: str, file: Path) -> dict[str, Any]:
    """Return Django's ``LOGGING`` for this system."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_FIELDS,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    loggers: dict[str, Any] = {name: {"level": "INFO"} for name in _TALKATIVE}
    loggers["apprise"] = {"level": "CRITICAL"}
    loggers["django.server"] = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": _formatter(structlog.dev.ConsoleRenderer(colors=False)),
            "json": _formatter(structlog.processors.JSONRenderer(default=str)),
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "console"},
            "file": {
                "()": SharedRotatingFileHandler,
                "filename": str(file),
                "formatter": "json",
            },
        },
        "root": {"handlers": ["console", "file"], "level": level},
        "loggers": loggers,
    }


def _formatter(renderer: Any) -> dict[str, Any]:
    return {
        "()": _MaskedFormatter,
        "foreign_pre_chain": _FIELDS,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            mask_event,
            renderer,
        ],
    }


def bind_component(name: str, **ids: Any) -> None:
    """Have every further line of this context carry the component's name and these ids."""
    structlog.contextvars.bind_contextvars(component=name, **ids)
