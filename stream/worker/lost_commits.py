"""What a partition has sent from customer to customer in commits that Redis has lost since.

A Redis that came back older is the truth, so those commits have not happened: the partition reads their records again,
perhaps in another order, and sends anew what comes of them. The older messages are in the log all the same. Redis keeps
how far each timeline of a partition has sent, in the commits that send: it came back older with them, so a number
beyond it says that a record is one of these. Nobody can have applied it: the sender's commit came before, and a Redis
loses its latest commits.
"""

from collections.abc import Sequence

from schemas.origin import Sender, sender_of
from schemas.topics import REROUTED
from stream.ports import PartitionStore
from stream.worker.log_records import LOST, LOST_KIND, TOPIC_NUMBERS, LogRecords, standing_in


async def lost_in(records: LogRecords, store: PartitionStore) -> list[int]:
    """The places of what was sent from customer to customer in commits that the store has lost since; within a chunk.

    Raises:
        StoreUnavailableError: Redis is away.
    """
    sent_by = _senders(records)
    if not sent_by:
        return []
    asked = list({(sender.partition, sender.timeline) for sender in sent_by.values()})
    last = dict(zip(asked, await store.last_sent(asked), strict=True))
    known = {place: last[sender.partition, sender.timeline] for place, sender in sent_by.items()}
    return [place for place, till in known.items() if till is not None and sent_by[place].sequence > till]


def _senders(records: LogRecords) -> dict[int, Sender]:
    """Whose commits have sent records from customer to customer, by their places."""
    if REROUTED not in records.topics:
        return {}
    rerouted = records.topic == TOPIC_NUMBERS[REROUTED]
    places = (rerouted & (records.is_identity | (records.hops > 0))).nonzero()[0].tolist()
    found = {place: sender_of(records.fetched[place].headers) for place in places}
    return {place: sender for place, sender in found.items() if sender is not None}


def without(records: LogRecords, places: Sequence[int]) -> LogRecords:
    """The same with nothing said at these places."""
    return standing_in(LOST, records, places) if places else records


def lost_offsets(records: LogRecords) -> list[int]:
    """The offsets on `events.rerouted` of those that count for nothing: the log does not say so."""
    if not records.has_kind(LOST_KIND):
        return []
    offsets: list[int] = records.offset[records.kind == LOST_KIND].tolist()
    return offsets
