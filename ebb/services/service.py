"""One small interface for everything Ebb starts on this machine: start, wait until ready, address, stop."""

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

from ebb.services.ports import free_port, require_free
from ebb.services.processes import LOOK_EVERY_S, ProcessIdentity, start_process
from stream.errors import ServiceError

LOG_LINES_SHOWN = 8


class NotInstalledError(ServiceError):
    """This machine lacks a program that the service is made of. The message says which and how to get it."""


class Service(ABC):
    """A process that serves one loopback port, with a data folder and a log of its own.

    `with EmbeddedRedis(folder) as redis: …` starts it tied to us; it is ready inside and stopped at the end. Otherwise
    call `start`, `wait_until_ready` and `stop`.

    Args:
        folder: where it keeps everything it writes; made when absent.
        port: the port to serve; a free one when absent.
    """

    name: str
    port_option: ClassVar[str] = "give another port"
    ready_within_s: ClassVar[float] = 30.0
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_within_s: ClassVar[float] = 10.0

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port if port is not None else free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """How a client reaches it, in the form its setting takes."""

    @property
    def log(self) -> Path:
        """The file with everything it said."""
        return self.folder / f"{self.name}.log"

    @property
    def identity(self) -> ProcessIdentity:
        """The process that runs it.

        Raises:
            ServiceError: it was not started.
        """
        if self._process is None:
            raise ServiceError(f"{self.name} was not started.")
        return ProcessIdentity.of(self._process.pid)

    @abstractmethod
    def prepare(self) -> list[str]:
        """Make everything ready for a start; the command to run."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves clients now."""

    def environ(self) -> Mapping[str, str] | None:
        """The whole environment of the process; ours when None."""
        return None

    def start(self, *, tied: bool = True) -> None:
        """Start it and return at once. `tied`: it dies with the thread that called, whatever happens to that.

        Raises:
            ServiceError: its port is taken, or something it needs is missing.
        """
        require_free(self.port, self.name, self.port_option)
        self.folder.mkdir(parents=True, exist_ok=True)
        command = self.prepare()
        self._process = start_process(command, self.log, tied=tied, folder=self.folder, environ=self.environ())

    def wait_until_ready(self) -> None:
        """Return when it answers.

        Raises:
            ServiceError: it ended, or does not answer within `ready_within_s`; the message carries its last words.
        """
        until = time.monotonic() + self.ready_within_s
        while not self.answers():
            if self._process is None or self._process.poll() is not None:
                raise ServiceError(f"{self.name} ended while starting on port {self.port}. {self._last_words()}")
            if time.monotonic() > until:
                waited = f"after {self.ready_within_s:g} s"
                raise ServiceError(f"{self.name} does not answer on port {self.port} {waited}. {self._last_words()}")
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """End it and wait for the end. Nothing happens when it was not started or has ended."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(self.stop_within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def wait(self) -> None:
        """Return when it has ended."""
        if self._process is not None:
            self._process.wait()

    def kill(self) -> None:
        """End it as a crash would: without a last word, without writing anything more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        """Start, tied to us, and wait until ready; nothing is left running when that fails."""
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        if not lines:
            return f"It said nothing (log: {self.log})."
        return "\n".join([f"Its log {self.log} ends:", *lines[-LOG_LINES_SHOWN:]])
