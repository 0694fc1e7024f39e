"""What must hold when a deployment has been through everything: Redis and Kafka say what logs and journal say."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import redis

from ebb.compose.worker import worker_plan
from schemas.topics import INPUT_TOPICS, PROFILES
from stream.identities.known import Identity, name_of
from stream.redis_store import keys
from stream.redis_store.identities import all_identities
from stream.settings.load import load_worker_settings
from tests.chaos.models import KeptModels
from tests.integration.processes import Deployment, read_all
from tests.integration.recomputation import (
    OUTPUTS,
    Places,
    compare,
    of_partition,
    places,
    recomputed_partition,
    require_in_order,
    sent_as,
)
from tests.live_lane import Logs
from tests.recomputed_logs import recompute_logs


@dataclass(frozen=True)
class Verdict:
    """What was compared.

    Attributes:
        records: in the input topics.
        customers: with states, views and deadlines that are equal.
        messages: distinct ones that were sent and should have been.
        of_lost_commits: distinct ones that were sent by commits which Redis has forgotten since; others stand in their
            places.
    """

    records: int
    customers: int
    messages: int
    of_lost_commits: int


def judged(shop: Deployment, models: KeptModels) -> Verdict:
    """Compare everything; all processes have ended.

    Raises:
        AssertionError: something is not as logs and journal say.
    """
    logs = {topic: read_all(shop.servers, topic, "read_committed") for topic in INPUT_TOPICS}
    expected: Places = {}
    taken = set[tuple[int, int]]()  # also by what is sent from customer to customer
    customers = 0
    with redis.Redis.from_url(shop.redis_url) as client:
        for partition in range(shop.partitions):
            own = of_partition(logs, partition)
            _require_whole_journal(client, partition, own)
            again = recomputed_partition(shop, client, partition, own, models.of)
            outgoing = again.outgoing()
            expected |= places(message for message in outgoing if message.topic in OUTPUTS)
            taken |= {place for _, place in map(sent_as, outgoing)}
            compare(shop, client, partition, again)
            customers += len(again.stored.states)
    identities = all_identities(shop.redis_url)
    _require_erased(logs, identities)
    _require_parity(shop, logs, identities)
    messages = {topic: shop.messages(topic) for topic in OUTPUTS}
    sent = places(record for records in messages.values() for record in records)
    assert not (missing := expected.keys() - sent.keys()), f"never sent: {sorted(missing)[:5]}"
    lost = sent.keys() - expected.keys()
    assert not (strange := [name for name in lost if sent[name] not in taken]), f"sent by nobody: {strange[:5]}"
    require_in_order(messages.values(), expected)
    return Verdict(sum(map(len, logs.values())), customers, len(expected), len(lost))


def _require_whole_journal(client: "redis.Redis", partition: int, logs: Logs) -> None:
    """Every record is in one journal entry, in order: what an entry leaves out would be left out by both sides."""
    applied: dict[str, int] = defaultdict(int)
    for _, fields in client.xrange(keys.journal(partition)):
        for topic, (first, end) in msgspec.json.decode(fields[b"entry"])["offsets"].items():
            assert first == applied[topic], f"{topic} {partition}: from {first} after {applied[topic]}"
            applied[topic] = end
    left = {topic: log[-1].offset + 1 for topic, log in logs.items() if log and log[-1].offset >= applied[topic]}
    assert not left, f"partition {partition}: applied up to {dict(applied)}, the logs end at {left}"


def _require_erased(logs: Mapping[str, list[Any]], identities: Mapping[str, Identity]) -> None:
    """Every erasure that was written holds, also of who was merged meanwhile."""
    for record in logs[PROFILES]:
        asked = msgspec.json.decode(record.value)
        if asked["type"] == "erasure":
            erased_ms = identities[name_of(asked["customer_id"])].erased_ms
            assert erased_ms >= asked["event_time_ms"], f"{asked} is not done: erased until {erased_ms}"


def _require_parity(shop: Deployment, logs: Mapping[str, list[Any]], identities: Mapping[str, Identity]) -> None:
    """Of all partitions together: each event that producers wrote counts for the one whose it is now, and once."""
    plan = worker_plan(load_worker_settings(shop.environ()))
    records = [record for topic in INPUT_TOPICS for record in logs[topic]]
    expected = recompute_logs(records, shop.partitions, plan.decoding, plan.rules.vocabulary, identities=identities)
    differences = shop.differences(expected).mismatches
    assert not differences, f"{len(differences)} differ: {differences[:10]}"
