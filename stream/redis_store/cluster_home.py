"""Which node of a cluster a key lives on, as far as one connection has been told."""

from collections.abc import Sequence
from typing import Any

from redis.crc import key_slot
from redis.exceptions import ClusterDownError

Node = tuple[str, int]


class ClusterHome:
    """The slot of one key, the nodes to ask where it is, and the one last named.

    >>> home = ClusterHome(b"partition:{3}", ("first", 7000))
    >>> slots = [[0, 5460, [b"first", 7000]], [5461, 16383, [b"second", 7000], [b"spare", 7000]]]
    >>> home.owner(slots, asked=("first", 7000)), home.known
    (('first', 7000), [('first', 7000), ('second', 7000), ('spare', 7000)])
    """

    def __init__(self, key: bytes, first: Node) -> None:
        self._slot, self._first = key_slot(key), first
        self.known: list[Node] = [first]
        self.named: Node | None = None

    def moved(self, to: Node, told_by: Node) -> None:
        """Be told of another node; a node that does not know its own name means the one that was asked."""
        self.named = (to[0] or told_by[0], to[1])

    def owner(self, slots: Sequence[Any], asked: Node) -> Node:
        """The node that has the slot, by an answer to CLUSTER SLOTS. Remembers all nodes, the one asked first.

        Raises:
            ClusterDownError: none has it.
        """
        nodes = [[_node(node, asked) for node in nodes] for _, _, *nodes in slots]
        self.known = list(dict.fromkeys([asked, *(node for of_range in nodes for node in of_range), self._first]))
        for (first, last, *_), of_range in zip(slots, nodes, strict=True):
            if first <= self._slot <= last:
                return of_range[0]
        raise ClusterDownError(f"no node of the cluster has slot {self._slot}")


def _node(told: Sequence[Any], asked: Node) -> Node:
    host, port = told[:2]
    return host.decode() if host else asked[0], int(port)
