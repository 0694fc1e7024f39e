"""Start a process of ours, know it again later, and end it without ever ending somebody else's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.errors import ServiceError

LOOK_EVERY_S = 0.02  # how often a wait looks again: short beside the 100 ms the quickest service needs to start
TIED = Path(__file__).with_name("tied.py")


@dataclass(frozen=True)
class ProcessIdentity:
    """A process id and when that process began: ids are used again, the pair is not."""

    pid: int
    began: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """The identity of the process that has `pid` now. `began` is empty when there is none."""
        return cls(pid, _began_at(pid))

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return bool(self.began) and _began_at(self.pid) == self.began


def _began_at(pid: int) -> str:
    """When a running process began, in a form that only compares; empty when it does not run (a zombie does not)."""
    stat = Path(f"/proc/{pid}/stat")
    if sys.platform != "linux":
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
        return shown.stdout.strip()
    try:
        after_name = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    state, ticks_since_boot = after_name[0], after_name[19]
    return "" if state in "ZX" else ticks_since_boot


def start_process(
    command: Sequence[str],
    log: Path,
    *,
    tied: bool,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` with its output appended to `log`.

    Args:
        command: program and arguments.
        log: a file for standard output and errors; its folder is made.
        tied: the process dies with the thread that called, however that ends; otherwise it outlives us.
        folder: the working folder; ours when absent.
        environ: the whole environment; ours when absent.

    Raises:
        ServiceError: the program cannot be run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    whole = [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *command] if tied else list(command)
    try:
        with log.open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - the command is ours, a list
                whole,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environ,
                start_new_session=True,  # Ctrl-C is for the command in front, which then stops this
            )
    except OSError as error:
        raise ServiceError(f"Cannot run {command[0]}: {error.strerror}.") from error


def end(process: ProcessIdentity, ask_with: signal.Signals, patience_s: float) -> None:
    """End a process: ask, wait up to `patience_s`, then kill. Does nothing when it has already ended.

    Raises:
        ServiceError: it does not end even when killed.
    """
    for wish, wait_s in ((ask_with, patience_s), (signal.SIGKILL, 10.0)):
        if not _signal(process, wish):
            return
        if ended_within(process, wait_s):
            return
    raise ServiceError(f"Process {process.pid} does not end. See `ps -p {process.pid}`.")


def _signal(process: ProcessIdentity, wish: signal.Signals) -> bool:
    """Send a signal to this very process; False when it is gone."""
    if not process.is_alive():
        return False
    try:
        os.kill(process.pid, wish)
    except ProcessLookupError:
        return False
    return True


def ended_within(process: ProcessIdentity, seconds: float) -> bool:
    """Wait for a process to end; whether it did in time. A zombie, which its parent has yet to ask about, has ended."""
    until = time.monotonic() + seconds
    while process.is_alive():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
