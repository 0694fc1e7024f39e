"""What runs in the background for a project folder, remembered so that `ebb down` ends that and nothing else."""

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ebb.services.processes import ProcessIdentity, end
from stream.errors import ServiceError


class RunningProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process of ours: enough to tell a person where it is and to end it without ending another."""

    name: str
    address: str
    log: str
    pid: int
    began: str
    stop_signal: int = int(signal.SIGTERM)
    stop_within_s: float = 10.0

    @property
    def identity(self) -> ProcessIdentity:
        """Process id and beginning."""
        return ProcessIdentity(self.pid, self.began)

    def end(self) -> None:
        """Ask it to end, wait, kill it if it does not."""
        end(self.identity, signal.Signals(self.stop_signal), self.stop_within_s)


class RunningProcesses:
    """The file `.ebb/services.json`. Entries of processes that have ended meanwhile are not shown.

    Args:
        folder: the project's `.ebb` folder; made when absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._file = self.folder / "services.json"

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other commands of the same folder from starting or stopping anything meanwhile.

        Raises:
            ServiceError: another command is doing so now.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "services.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as busy:
                raise ServiceError(
                    f"Another command is starting or stopping services of {self.folder}. Try again when it is done."
                ) from busy
            yield

    def alive(self) -> list[RunningProcess]:
        """What runs, in the order of starting.

        Raises:
            ServiceError: the file is not ours to read.
        """
        if not self._file.exists():
            return []
        try:
            remembered = msgspec.json.decode(self._file.read_bytes(), type=list[RunningProcess])
        except msgspec.DecodeError as error:
            raise ServiceError(
                f"{self._file} cannot be read: {error}. End its processes by hand and remove it."
            ) from error
        return [process for process in remembered if process.identity.is_alive()]

    def named(self, name: str) -> RunningProcess | None:
        """The running process of that name."""
        return next((process for process in self.alive() if process.name == name), None)

    def remember(self, process: RunningProcess) -> None:
        """Add a process that was just started."""
        self._write([*self.alive(), process])

    def end_all(self) -> list[RunningProcess]:
        """End everything, the last started first: a worker before the Redis it writes to. Returns what was ended."""
        ended = []
        for process in reversed(self.alive()):
            self.end(process)
            ended.append(process)
        return ended

    def end(self, process: RunningProcess) -> None:
        """End one process and forget it."""
        process.end()
        self._write([other for other in self.alive() if other != process])

    def _write(self, processes: list[RunningProcess]) -> None:
        """Replace the file whole, so that a reader never sees half of it."""
        partial = self._file.with_suffix(".partial")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(processes)))
        partial.rename(self._file)
