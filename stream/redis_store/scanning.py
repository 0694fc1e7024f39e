"""Walks over all keys, page by page; in a cluster node by node.

A key that moves from a node not yet walked to one that was, because its slot moves, is missed.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

SCAN_COUNT = 2_000  # keys looked at per step: less than a millisecond of Redis


def scanned(client: Any, match: bytes) -> Iterator[Sequence[bytes]]:
    """Pages of the keys that match; as SCAN promises, who is there all the time comes at least once."""
    for target in _targets(client):
        cursor: Any = None
        while cursor != 0:
            cursor, found = client.scan(cursor or 0, match=match, count=SCAN_COUNT, **target)
            cursor = _of_one_node(cursor)
            yield found


async def async_scanned(client: Any, match: bytes) -> AsyncIterator[Sequence[bytes]]:
    """`scanned` for a client that was entered in an event loop."""
    for target in _targets(client):
        cursor: Any = None
        while cursor != 0:
            cursor, found = await client.scan(cursor or 0, match=match, count=SCAN_COUNT, **target)
            cursor = _of_one_node(cursor)
            yield found


def _targets(client: Any) -> Sequence[dict[str, Any]]:
    """What to add to a SCAN for each node that has keys."""
    if hasattr(client, "get_primaries"):
        return [{"target_nodes": node} for node in client.get_primaries()]
    return [{}]


def _of_one_node(cursor: Any) -> int:
    return int(next(iter(cursor.values())) if isinstance(cursor, dict) else cursor)
