"""Writing a record about who a customer is, to the partition of that customer."""

from collections.abc import Sequence

import msgspec

from offline.one_record import write_one
from schemas.identities import Erasure, Merge
from schemas.partition import partition_of
from schemas.topics import PROFILES


def write(record: Erasure | Merge, servers: Sequence[str], partitions: int) -> tuple[str, int, int]:
    """Write a record and wait for the acknowledgement; its (topic, partition, offset).

    Raises:
        BrokerError: Kafka is away or refuses.
    """
    customer = record.customer_id
    partition = partition_of(customer, partitions)
    return write_one(servers, PROFILES, partition, customer, msgspec.json.encode(record))
