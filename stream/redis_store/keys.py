"""Every key Ebb writes to Redis, and the one process that writes it (docs/architecture.md, "Redis").

`{p}` is a hash tag: in a Redis Cluster all keys of a partition live on one node. Braces are literal, and Redis takes
the first pair of a key for its tag, so whatever a customer id holds cannot move its key to another node.

>>> view(3, "17850")
b'customer:{3}:17850'
>>> snapshot(0, "two words", 14610)
b'snapshot:{0}:two words:14610'
"""

import re

META = b"meta"
"""Hash of partition count, clock mode, layout, lists of names and outcomes. Writer: whichever process starts first; the
clock mode also `switch_clock`, the outcomes whoever starts with others on the live clock. And who runs under each
instance id, written by a worker with that id when it starts; that Redis is being rebuilt, by the command that does it;
that a log was replaced, by the worker that has seen it."""


def view(partition: int, customer: str) -> bytes:
    """The customer's view, plain JSON. Writer: the partition's lane, in a commit."""
    return b"customer:{%d}:%b" % (partition, customer.encode())


def state(partition: int, customer: str) -> bytes:
    """The customer's packed record. Writer: the partition's lane, in a commit."""
    return b"state:{%d}:%b" % (partition, customer.encode())


def partition_head(partition: int) -> bytes:
    """Hash of version, owner, positions, stream time, sequence, sweep, and what the live clock has heard of each topic.

    Writer: the partition's lane, by commit or claim.
    """
    return b"partition:{%d}" % partition


def shop(partition: int) -> bytes:
    """Hash of the partition's share of the shop's totals. Writer: the partition's lane, in a commit."""
    return b"shop:{%d}" % partition


def due(partition: int) -> bytes:
    """Sorted set: customer -> when it is looked at next, in ms. Writer: the partition's lane, in a commit."""
    return b"due:{%d}" % partition


def segment(partition: int, name: str) -> bytes:
    """Set of a segment's customers. Writer: the partition's lane, in a commit."""
    return b"segment:{%d}:%b" % (partition, name.encode())


def risk(partition: int) -> bytes:
    """Sorted set: customer -> about its value at risk, in major units. Writer: the partition's lane, in a commit."""
    return b"risk:{%d}" % partition


def snapshot(partition: int, customer: str, day: int) -> bytes:
    """What was known of a customer at the start of a day since 1970. Writer: the partition's lane, in a commit."""
    return b"snapshot:{%d}:%b:%d" % (partition, customer.encode(), day)


def labels(partition: int) -> bytes:
    """Hash: customer -> open accumulators. Writer: the partition's lane, in a commit."""
    return b"labels:{%d}" % partition


def seen(partition: int, topic: str) -> bytes:
    """List of blocks of event-id hashes, oldest first. Writer: the partition's lane, in a commit."""
    return b"seen:{%d}:%b" % (partition, topic.encode())


def identity(partition: int) -> bytes:
    """Hash: name of an id -> whether it was erased or merged. Writer: the partition's lane, in a commit."""
    return b"identity:{%d}" % partition


def timelines(partition: int) -> bytes:
    """Hash: timeline -> the number of the last message it has sent from customer to customer; every lane reads it.

    Writer: the partition's lane, in a commit.
    """
    return b"timelines:{%d}" % partition


def outbox(partition: int) -> bytes:
    """Hash: sequence -> message to publish. Writer: the partition's lane, which also removes what was acknowledged."""
    return b"outbox:{%d}" % partition


def journal(partition: int) -> bytes:
    """Stream of what each commit applied. Writer: the partition's lane, in a commit."""
    return b"journal:{%d}" % partition


def model(name: str, version: str) -> bytes:
    """A sealed model document. Writer: the learner."""
    return b"model:%b:%b" % (name.encode(), version.encode())


def model_champion(name: str) -> bytes:
    """Hash of the version in force and its epoch day. Writer: the learner."""
    return model(name, "champion")


def model_versions(name: str) -> bytes:
    """List of the stored versions, the longest unused first. Writer: the learner."""
    return model(name, "versions")


def challengers(outcome: str) -> bytes:
    """Hash: name -> sealed document of a challenger from outside. Writer: who publishes it (`ebb models`)."""
    return b"challengers:%b" % outcome.encode()


def learner(name: str) -> bytes:
    """Hash of a learner's state, metrics and next offset of the labels log. Writer: the learner."""
    return b"learner:%b" % name.encode()


_OF_A_PARTITION = re.compile(
    rb"(customer|state|partition|shop|due|segment|risk|snapshot|labels|seen|identity|timelines|outbox|journal):\{\d+\}"
)


def is_of_partition(key: bytes) -> bool:
    """Whether a key belongs to a partition, and not to models or the whole deployment.

    >>> is_of_partition(labels(3)), is_of_partition(model("churn", "{3}"))
    (True, False)
    """
    return _OF_A_PARTITION.match(key) is not None


def customer_of_state(key: bytes) -> str:
    """The customer of a key made by `state`.

    >>> customer_of_state(state(3, "{7}: ada"))
    '{7}: ada'
    """
    return key.split(b":", 2)[2].decode()
