"""Where archived records lie: `FOLDER/<topic>/partition=<p>/<first>-<last>.parquet`.

A name says which offsets a file answers for, from the one at which the file before it ends. Offsets of a log are not
dense, so a file may have fewer records than offsets; only between files that do not meet is something missing.
"""

import fcntl
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

from stream.errors import EbbError

JOURNAL = "journal"
"""The log of what each commit applied, beside the topics; its offsets are versions of the partition."""

TEMPORARY = ".tmp"
LOOK_EVERY_S = 0.1

_NAME = re.compile(r"(\d{20})-(\d{20})\.parquet")
_PARTITION = re.compile(r"partition=(\d+)")


class ArchiveError(EbbError):
    """An archive cannot be read or written, or belongs to other logs."""


class BusyArchiveError(ArchiveError):
    """Another process is writing there."""


class ArchiveFile(NamedTuple):
    """A file that answers for the offsets from `first` until before `end`."""

    first: int
    end: int
    path: Path


def log_folder(folder: Path, topic: str, partition: int) -> Path:
    """The folder of one topic-partition."""
    return folder / topic / f"partition={partition}"


def file_name(first: int, end: int) -> str:
    """The name of a file, which ends with the last offset it answers for.

    >>> file_name(0, 100)
    '00000000000000000000-00000000000000000099.parquet'
    """
    return f"{first:020}-{end - 1:020}.parquet"


def partitions(folder: Path, topic: str) -> list[int]:
    """The partitions that a topic has in the archive."""
    found = (_PARTITION.fullmatch(path.name) for path in (folder / topic).glob("partition=*"))
    return sorted(int(match[1]) for match in found if match)


def files(folder: Path, topic: str, partition: int) -> list[ArchiveFile]:
    """The files of a topic-partition in order, without those that a longer one contains."""
    return longest(_all_files(log_folder(folder, topic, partition)))


def contained(folder: Path, topic: str, partition: int) -> list[ArchiveFile]:
    """Files that a longer one contains: what was left when two were joined and the process ended."""
    everything = _all_files(log_folder(folder, topic, partition))
    return sorted(set(everything) - set(longest(everything)))


def _all_files(where: Path) -> list[ArchiveFile]:
    named = ((_NAME.fullmatch(path.name), path) for path in where.glob("*.parquet"))
    return [ArchiveFile(int(match[1]), int(match[2]) + 1, path) for match, path in named if match]


def longest(found: Iterable[ArchiveFile]) -> list[ArchiveFile]:
    """Files by their first offset, without those that others contain.

    >>> [(a.first, a.end) for a in longest([ArchiveFile(5, 9, Path()), ArchiveFile(0, 5, Path()),
    ...                                     ArchiveFile(0, 7, Path())])]
    [(0, 7), (5, 9)]
    """
    kept: list[ArchiveFile] = []
    for each in sorted(found, key=lambda file: (file.first, -file.end)):
        if not kept or each.end > kept[-1].end:
            kept.append(each)
    return kept


def gaps(found: Sequence[ArchiveFile]) -> list[tuple[int, int]]:
    """Offsets (from, until before) that no file answers for, before the last file.

    >>> gaps([ArchiveFile(0, 5, Path()), ArchiveFile(7, 9, Path())])
    [(5, 7)]
    """
    reached, missing = 0, []
    for each in found:
        if each.first > reached:
            missing.append((reached, each.first))
        reached = max(reached, each.end)
    return missing


@contextmanager
def locked(folder: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Be the only writer of an archive, and remove what an interrupted one has left half written.

    Args:
        folder: the archive.
        patience_s: how long to wait for another writer to end.

    Raises:
        BusyArchiveError: another process is writing there.
        ArchiveError: the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ArchiveError(f"Cannot write to {folder}: {error.strerror}. Choose another folder.") from error
    try:
        _take(lock, folder, monotonic() + patience_s)
        for left in folder.rglob(f"*{TEMPORARY}"):
            left.unlink()
        yield
    finally:
        os.close(lock)


def _take(lock: int, folder: Path, until_s: float) -> None:
    while not _is_taken(lock):
        if monotonic() >= until_s:
            raise BusyArchiveError(f"Another `ebb archive` is writing to {folder}. It will do; let it end.")
        sleep(LOOK_EVERY_S)


def _is_taken(lock: int) -> bool:
    """Whether it is ours now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file whole: whoever reads it finds the old content or the new one, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + TEMPORARY)
    temporary.write_bytes(content)
    publish_file(temporary, path)


def publish_file(temporary: Path, path: Path) -> None:
    """Give a complete file its name."""
    _sync(temporary)
    temporary.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
