"""Ebb's own processes as services: a worker or a learner of this machine."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ebb.services.ports import LOOPBACK, is_open
from ebb.services.service import Service

ERRORS_SHOWN = 3
WARMED_UP = "warmed up"
"""What a worker logs once everything is compiled; docs/architecture.md, "Delivery"."""


class EbbProcess(Service):
    """`ebb worker` or `ebb learner` with settings of its own; ready when it serves its metrics.

    Args:
        name: the command to run.
        folder: for its log.
        settings: EBB_* variables; those of our own environment are not handed on.
        port: for its metrics.
    """

    stop_within_s = 15.0

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str], port: int | None = None) -> None:
        super().__init__(folder, port)
        self.name = name
        self._settings = settings
        self._log_begins = 0  # what is before are the words of another run in the same folder

    @property
    def address(self) -> str:
        """Where Prometheus finds its metrics."""
        return f"http://{LOOPBACK}:{self.port}/metrics"

    def prepare(self) -> list[str]:
        """The command of this very installation."""
        return [sys.executable, "-m", "ebb", self.name]

    def start(self, *, tied: bool = True) -> None:
        """As any service."""
        self._log_begins = self.log.stat().st_size if self.log.exists() else 0
        super().start(tied=tied)

    def environ(self) -> Mapping[str, str]:
        """Our environment without settings of ours, and the given ones."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EBB_")}
        return inherited | dict(self._settings) | {"EBB_METRICS_PORT": str(self.port)}

    def answers(self) -> bool:
        """Whether its metrics are served: it has seen Redis and Kafka then."""
        return is_open(self.port)

    def has_ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def last_words(self) -> str:
        """Why it ended, as it said: its last errors, without their tracebacks."""
        errors = [text for level, text in self._said() if level in {"error", "critical"}][-ERRORS_SHOWN:]
        return "\n".join([*errors, f"Its log: {self.log}"])

    def has_warmed_up(self) -> bool:
        """Whether it has said that everything is compiled; it takes about a minute where nothing is yet."""
        return any(text == WARMED_UP for _, text in self._said())

    def _said(self) -> list[tuple[str, str]]:
        """(level, text) of each line of its log."""
        if not self.log.exists():
            return []
        written = self.log.read_bytes()[self._log_begins :].decode(errors="replace")
        return [_event(line) for line in written.splitlines()]


def _event(line: str) -> tuple[str, str]:
    """(level, text) of a log line; a line that is no JSON object is an error: something wrote past the log."""
    try:
        entry = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return "error", line
    return str(entry.get("level")), str(entry.get("error") or entry.get("event"))
