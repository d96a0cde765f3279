"""Logs of the server: JSON lines, or plain lines on a terminal; never a customer's text.

An exception's message may quote what it was given, so only its type and the places it passed through are written.
"""

import logging
import logging.config
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import structlog

Event = MutableMapping[str, Any]

_LOGGERS = {"bentoml": "WARNING", "uvicorn.error": "WARNING", "circus": "WARNING"}
"""BentoML's lines about requests are switched off; `request` events of the middleware replace them."""


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what standard error is at that moment, so that a redirection is followed."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


def configure() -> None:
    """Sends structlog's and everybody else's records through one handler on standard error."""
    # a record that cannot be written would be printed with the whole exception, message included
    logging.raiseExceptions = False
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide_messages,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*shared, _first_line],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer()],
        "keep_exc_info": False,
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"holos": formatter},
            "handlers": {"stderr": {"()": _Stderr, "formatter": "holos"}},
            "loggers": {name: {"level": level, "handlers": [], "propagate": True} for name, level in _LOGGERS.items()}
            | {"holos": {"level": "INFO"}},
            "root": {"level": "WARNING", "handlers": ["stderr"]},
        }
    )


def get_logger() -> Any:
    return structlog.get_logger("holos")


def where(error: BaseException) -> dict[str, Any]:
    """What may be written about an exception: its type and the lines it passed, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "at": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames],
    }


def _hide_messages(_: Any, __: str, event: Event) -> Event:
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event.update(where(error))
    return event


def _first_line(_: Any, __: str, event: Event) -> Event:
    # asyncio's records go on with the repr of a task and of what it raised
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _renderer() -> Any:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(ensure_ascii=False)
