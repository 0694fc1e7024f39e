"""Metrics of an ingest process. Every name is declared here and nowhere else."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from schemas.rejection import REASONS

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

RECORDS = Counter(
    "ebb_ingest_records",
    "Source records by topic and what became of them: mapped, refused (a dead letter, whatever else it gave), ignored "
    "as the map says.",
    ["topic", "result"],
    registry=REGISTRY,
)
EVENTS = Counter("ebb_ingest_events", "Events written, by kind.", ["kind"], registry=REGISTRY)
REFUSED = Counter("ebb_ingest_refused", "Source records refused, by reason.", ["reason"], registry=REGISTRY)
LAG = Gauge(
    "ebb_ingest_lag_records",
    "Records of the partitions of this process that are there and not committed, by source topic; looked at every 5 s.",
    ["topic"],
    registry=REGISTRY,
)
CHUNK_SECONDS = Histogram(
    "ebb_ingest_chunk_seconds",
    "Time to map a chunk of source records, send its events and commit it.",
    registry=REGISTRY,
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 60),
)
RETRIES = Counter(
    "ebb_ingest_retries",
    "Attempts repeated because Kafka did not acknowledge or the registry did not answer.",
    ["service"],
    registry=REGISTRY,
)
COMMITS_REFUSED = Counter(
    "ebb_ingest_commits_refused",
    "Chunks that another process reads again, since the group had given it their partitions.",
    registry=REGISTRY,
)
LOST = Counter(
    "ebb_ingest_lost_records", "Source records that retention took before they were read.", ["topic"], registry=REGISTRY
)

for _reason in REASONS:  # from 0 on: the first of a kind is an increase too
    REFUSED.labels(_reason)
for _service in ("kafka", "registry"):
    RETRIES.labels(_service)


def begin_topic(topic: str) -> None:
    """A source topic is read: its counters are there from 0 on."""
    for result in ("mapped", "refused", "ignored"):
        RECORDS.labels(topic, result)
    LOST.labels(topic)
