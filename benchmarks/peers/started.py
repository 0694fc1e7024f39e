"""What every peer is told when it starts, and how it says how far it is."""

import argparse
import mmap
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

WRITE_EVERY_S = 0.05
TOPIC = "benchmark.events"
"""All records of a load in one topic, in the order of the load: no peer has to join two topics."""


class Arguments(argparse.Namespace):
    """Of a peer's command line."""

    servers: str
    redis: str
    group: str
    partitions: int
    progress: Path
    profile: Path | None


def arguments() -> Arguments:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", required=True, help="host:port of Kafka")
    parser.add_argument("--redis", required=True, help="URL")
    parser.add_argument("--group", required=True, help="consumer group, new for each run")
    parser.add_argument("--partitions", type=int, required=True, help="of the topic")
    parser.add_argument("--progress", type=Path, required=True, help="file for the number of records done")
    parser.add_argument("--profile", type=Path, default=None, help="file for a profile at the end")
    return parser.parse_args(namespace=Arguments())


def report(path: Path, done: Callable[[], int]) -> None:
    """Write the number of records done to a file of eight bytes, from a thread of its own."""
    path.write_bytes(bytes(8))
    with path.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), 8)

    def keep_writing() -> None:
        while True:
            shared[:] = struct.pack("<Q", done())
            time.sleep(WRITE_EVERY_S)

    threading.Thread(target=keep_writing, daemon=True).start()


def reported(path: Path) -> int:
    """What a peer has written; 0 before it has started."""
    written = path.read_bytes() if path.exists() else b""
    return struct.unpack("<Q", written)[0] if len(written) == 8 else 0
