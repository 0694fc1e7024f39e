"""Structured logs on standard error: one line an event, from Ebb and from the libraries below it, without secrets."""

import logging
import re
import sys
from collections.abc import Iterable
from typing import Literal

import structlog
from structlog.typing import Processor

from stream.settings.common import CommonSettings, ProcessSettings
from stream.settings.forms import MASK
from stream.settings.ingest import IngestSettings

CREDENTIALS = re.compile(r"(\w+://)[^\s/\"'<>]*@")
IN_OPTIONS = re.compile(r"([?&]\w*password=)[^\s&\"'<>]*")
QUIET = {"kafka": logging.WARNING, "aiokafka": logging.WARNING, "faust": logging.WARNING, "mode": logging.WARNING}
"""The libraries' own loggers: what they say on every fetch and rebalance is not what an operator looks for."""


def configure_logging(process: str, settings: CommonSettings) -> None:
    """Send everything that is logged, by structlog or logging, through one formatter.

    Args:
        process: stands in every line.
        settings: format, level, and the secrets to keep out.

    Calling again replaces what was configured.
    """
    shared = _shared(process)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # configuring again, as tests do, must reach loggers already made
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter(settings.log_format, shared, secrets_of(settings)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))


def secrets_of(settings: CommonSettings) -> frozenset[str]:
    """The texts that must never be logged: keys and the registry's password. (One in a URL is known by its place.)"""
    if isinstance(settings, IngestSettings):
        return frozenset({settings.registry_auth, settings.registry_auth.partition(":")[2]} - {""})
    if not isinstance(settings, ProcessSettings):
        return frozenset()
    return frozenset(key.partition(":")[2] for key in settings.model_keys.split(",") if key)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without credentials in URLs and without `secrets`.

    >>> redacted("redis://ebb:pass@redis:6379/0 signed with 0a0b", secrets=["0a0b"])
    'redis://***@redis:6379/0 signed with ***'
    """
    for secret in secrets:
        text = text.replace(secret, MASK)
    return IN_OPTIONS.sub(rf"\1{MASK}", CREDENTIALS.sub(rf"\1{MASK}@", text))


def one_entry(text: str) -> str:
    """A line of text, or several with a traceback: nothing moves the cursor, and none looks like the next entry.

    >>> one_entry("refused\\n2026-01-01 forged")
    'refused\\n  2026-01-01 forged'
    """
    lines = ("".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line) for line in text.split("\n"))
    return "\n  ".join(lines)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Redacts the finished line: nothing reaches the output by another way, not in an exception either."""

    def __init__(self, form: Literal["json", "text"], shared: list[Processor], secrets: Iterable[str]) -> None:
        remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
        rendering: list[Processor] = (
            [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
            if form == "json"
            else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
        )
        super().__init__(processors=[remove_meta, *rendering], foreign_pre_chain=shared)
        self._secrets, self._form = tuple(secrets), form

    def format(self, record: logging.LogRecord) -> str:
        """The line, redacted."""
        line = redacted(super().format(record), self._secrets)
        return line if self._form == "json" else one_entry(line)


def _shared(process: str) -> list[Processor]:
    """What every line gets: level, logger, time in UTC, the process."""

    def name_process(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_process,
    ]
