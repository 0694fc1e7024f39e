"""A `Commit` as the commands of one Redis transaction.

Redis does not undo what a transaction has done before a command in it fails, so whatever could fail is refused here,
before anything is sent.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from stream.byte_rows import CustomerBytes, byte_rows, encoded
from stream.customers.segments import SEGMENTS
from stream.ports import Commit
from stream.redis_store import keys
from stream.redis_store.codec import heard_field, numbers, position_field, sweep_field
from stream.redis_store.wire import Arguments, Command, keys_and_values

JOURNAL_ENTRIES = 100_000  # an entry of about 200 bytes a commit: 20 MB a partition, a day at one commit a second


def transaction(partition: int, version: int, changes: Commit) -> list[Command]:
    """The commands from MULTI to EXEC that apply `changes` and make `version` the partition's version.

    Raises:
        ValueError: a value at risk is not finite.
    """
    return [
        (b"MULTI",),
        *_removed(partition, changes.removed),
        *_values(partition, changes),
        *_closed_snapshots(partition, changes),
        *_deadlines(partition, changes.deadlines),
        *_segments(partition, changes.segment_moves),
        *_risks(partition, changes.risks),
        *_labels(partition, changes.labels),
        *_identities(partition, changes.identities),
        *_timelines(partition, changes.timelines),
        *_outbox(partition, changes),
        *_seen(partition, changes),
        *_journal(partition, changes.journal),
        *_totals(partition, changes.totals),
        _head(partition, version, changes),
        *_heard_no_more(partition, changes.heard),
        (b"EXEC",),
    ]


def _removed(partition: int, customers: Sequence[str]) -> Iterator[Command]:
    """Nothing stays of these, whatever segment they are in."""
    if not customers:
        return
    members = [customer.encode() for customer in customers]
    prefixes = (keys.state(partition, ""), keys.view(partition, ""))
    yield [b"DEL", *(prefix + member for prefix in prefixes for member in members)]
    for key in (keys.due(partition), keys.risk(partition)):
        yield [b"ZREM", key, *members]
    yield [b"HDEL", keys.labels(partition), *members]
    for name in SEGMENTS:
        yield [b"SREM", keys.segment(partition, name), *members]


def _identities(partition: int, identities: Mapping[str, bytes]) -> Iterator[Command]:
    if identities:
        names = [name.encode() for name in identities]
        yield [b"HSET", keys.identity(partition), *_alternating(names, [*identities.values()])]


def _timelines(partition: int, timelines: Mapping[str, int]) -> Iterator[Command]:
    for timeline, last in timelines.items():
        yield (b"HSET", keys.timelines(partition), timeline.encode(), b"%d" % last)


def _values(partition: int, changes: Commit) -> Iterator[Command]:
    """States, views and snapshots in a single MSET, the cheapest way Redis has to take them."""
    kinds = ((keys.state, changes.states), (keys.view, changes.views))
    pairs = [_of_customers(key(partition, ""), values) for key, values in kinds if values]
    if changes.snapshots:
        names = byte_rows([keys.snapshot(partition, customer, day) for customer, day in changes.snapshots])
        pairs.append(keys_and_values(b"", names, byte_rows([*changes.snapshots.values()])))
    if pairs:
        yield [b"MSET", *pairs]


def _of_customers(prefix: bytes, values: Mapping[str, bytes]) -> Arguments:
    if isinstance(values, CustomerBytes):
        return keys_and_values(prefix, encoded(values.customers), values.rows)
    return keys_and_values(prefix, encoded([*values]), byte_rows([*values.values()]))


def _closed_snapshots(partition: int, changes: Commit) -> Iterator[Command]:
    if changes.closed_snapshots:
        yield [b"DEL", *(keys.snapshot(partition, customer, day) for customer, day in changes.closed_snapshots)]


def _deadlines(partition: int, deadlines: Mapping[str, int]) -> Iterator[Command]:
    return _scores(keys.due(partition), deadlines)


def _risks(partition: int, risks: Mapping[str, float]) -> Iterator[Command]:
    if not all(map(math.isfinite, risks.values())):
        customer, risk = next(each for each in risks.items() if not math.isfinite(each[1]))
        raise ValueError(f"The value at risk of customer {customer!r} is {risk}; it must be a finite number.")
    return _scores(keys.risk(partition), risks)


def _scores(key: bytes, scores: Mapping[str, float]) -> Iterator[Command]:
    """Set a sorted set's scores; a score of 0 removes."""
    kept = {customer: score for customer, score in scores.items() if score}
    if kept:
        yield [b"ZADD", key, *_alternating(numbers(kept.values()), [*map(str.encode, kept)])]
    if len(kept) < len(scores):
        yield [b"ZREM", key, *(customer.encode() for customer, score in scores.items() if not score)]


def _alternating(first: Sequence[bytes], second: Sequence[bytes]) -> list[bytes]:
    """One of each in turn."""
    both = [b""] * (2 * len(first))
    both[::2], both[1::2] = first, second
    return both


def net_moves(moves: Iterable[tuple[str, str | None, str]]) -> dict[str, tuple[str | None, str]]:
    """Where each customer came from and ends, however often it moved.

    >>> net_moves([("ada", None, "New Customers"), ("ada", "New Customers", "Loyal Customers")])
    {'ada': (None, 'Loyal Customers')}
    """
    net: dict[str, tuple[str | None, str]] = {}
    for customer, left, entered in moves:
        net[customer] = (net[customer][0] if customer in net else left, entered)
    return net


def _segments(partition: int, moves: Sequence[tuple[str, str | None, str]]) -> Iterator[Command]:
    leavers: dict[str, list[bytes]] = {}
    comers: dict[str, list[bytes]] = {}
    for customer, (left, entered) in net_moves(moves).items():
        if left is not None:
            leavers.setdefault(left, []).append(customer.encode())
        comers.setdefault(entered, []).append(customer.encode())
    for name, members in leavers.items():
        yield [b"SREM", keys.segment(partition, name), *members]
    for name, members in comers.items():
        yield [b"SADD", keys.segment(partition, name), *members]


def _labels(partition: int, labels: Mapping[str, bytes]) -> Iterator[Command]:
    kept = {customer: value for customer, value in labels.items() if value}
    removed = [customer.encode() for customer, value in labels.items() if not value]
    if kept:
        yield [b"HSET", keys.labels(partition), *_alternating([*map(str.encode, kept)], [*kept.values()])]
    if removed:
        yield [b"HDEL", keys.labels(partition), *removed]


def _outbox(partition: int, changes: Commit) -> Iterator[Command]:
    if changes.outbox:
        messages = (part for sequence, packed in changes.outbox for part in (b"%d" % sequence, packed))
        yield [b"HSET", keys.outbox(partition), *messages]
    yield from forget_messages(partition, changes.forget_outbox)


def forget_messages(partition: int, sequences: Iterable[int]) -> Iterator[Command]:
    """Remove acknowledged messages from the outbox."""
    fields = [b"%d" % sequence for sequence in sequences]
    if fields:
        yield [b"HDEL", keys.outbox(partition), *fields]


def _seen(partition: int, changes: Commit) -> Iterator[Command]:
    for topic, block in changes.seen.items():
        key = keys.seen(partition, topic)
        if block.replaces_last:
            yield (b"RPOP", key)  # not LSET, which fails on an empty list
        yield (b"RPUSH", key, block.packed)
        if block.drop_first:
            yield (b"LTRIM", key, b"%d" % block.drop_first, b"-1")


def _journal(partition: int, entry: bytes) -> Iterator[Command]:
    if entry:
        yield (b"XADD", keys.journal(partition), b"MAXLEN", b"~", b"%d" % JOURNAL_ENTRIES, b"*", b"entry", entry)


def _totals(partition: int, totals: Mapping[str, int]) -> Iterator[Command]:
    for name, increment in totals.items():
        yield (b"HINCRBY", keys.shop(partition), name.encode(), b"%d" % increment)


def _heard_no_more(partition: int, heard: Mapping[str, bytes]) -> Iterator[Command]:
    removed = [heard_field(topic) for topic, packed in heard.items() if not packed]
    if removed:
        yield [b"HDEL", keys.partition_head(partition), *removed]


def _head(partition: int, version: int, changes: Commit) -> Command:
    fields = [
        (b"version", b"%d" % version),
        (b"stream_time_ms", b"%d" % changes.stream_time_ms),
        (b"sequence", b"%d" % changes.sequence),
        *(position_field(topic, position) for topic, position in changes.positions.items()),
        *([sweep_field(changes.sweep)] if changes.sweep else []),
        *((heard_field(topic), packed) for topic, packed in changes.heard.items() if packed),
    ]
    return [b"HSET", keys.partition_head(partition), *(part for field in fields for part in field)]
