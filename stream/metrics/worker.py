"""Metrics of a worker. Every name is declared here and nowhere else; labels are few and bounded, never a customer.

They are set once a chunk, or once every few seconds, not per event. docs/operations.md is written from these
declarations by `make dashboards`.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from schemas.rejection import REASONS
from schemas.topics import INPUT_TOPICS
from stream.customers.segments import SEGMENTS, UNSEGMENTED
from stream.metrics.chunk_histogram import ChunkHistogram

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

UP_TO_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
UP_TO_HOURS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600)
"""Latencies: 100 ms is the promise at a steady load, hours are a backlog that is worked off."""

MESSAGE_KINDS = (
    "churn-alert.opened",
    "churn-alert.closed",
    "segment-change",
    "label",
    "dead-letter",
    "epoch-passed",
    "rerouted",
    "redirected",
    "identity",
)

# Records and chunks
RECORDS = Counter(
    "ebb_records",
    "Records by topic, kind and what became of them: applied, duplicate, invalid (a dead letter), misrouted (on "
    "another partition than its customer's, sent on by way of events.rerouted), erased (of a customer who was, since), "
    "redirected (of one merged into another), lost (sent by a commit that Redis has lost since). The kind of what "
    "cannot be read is `unknown`.",
    ["topic", "kind", "result"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter("ebb_dead_letters", "Dead letters by reason.", ["reason"], registry=REGISTRY)
STAGE_SECONDS = Histogram(
    "ebb_stage_seconds",
    "Time a chunk spends in one stage: take, read, step, commit.",
    ["stage"],
    registry=REGISTRY,
    buckets=(0.0001, 0.00025, 0.0005, *UP_TO_SECONDS),
)
COMMIT_LATENCY = ChunkHistogram(
    "ebb_commit_latency_seconds",
    "From a record's Kafka timestamp, of a rerouted one that of its original, until it is committed to Redis.",
    registry=REGISTRY,
    buckets=UP_TO_HOURS,
)
LAG = Gauge(
    "ebb_lag_records",
    "Records of a topic and partition that Kafka has and that are not applied; looked at every 5 s.",
    ["topic", "partition"],
    registry=REGISTRY,
)
QUEUED_BYTES = Gauge(
    "ebb_queued_bytes", "Bytes fetched and not yet applied.", ["topic", "partition"], registry=REGISTRY
)
FETCH_PAUSES = Counter(
    "ebb_fetch_pauses",
    "Times a topic-partition was fetched no further: full, or leading the others by too much.",
    ["topic", "reason"],
    registry=REGISTRY,
)
LOG_GAPS = Counter("ebb_log_gaps", "Records lost to retention before they were applied.", ["topic"], registry=REGISTRY)

# Commits and ownership
COMMITS = Counter("ebb_commits", "Chunks committed to Redis.", ["partition"], registry=REGISTRY)
COMMITS_REFUSED = Counter(
    "ebb_commits_refused", "Commits that found the partition at another version.", ["partition"], registry=REGISTRY
)
CHUNK_FAILURES = Counter(
    "ebb_chunk_failures",
    "Attempts at a chunk, or a part of one, that a bug of Ebb ended, with EBB_ON_BUG=quarantine; what was set aside in "
    "the end are dead letters with the reason `bug`, and customers.",
    registry=REGISTRY,
)
CUSTOMERS_SET_ASIDE = Counter(
    "ebb_customers_set_aside",
    "Times a customer's decision was put off for a bug of Ebb, with EBB_ON_BUG=quarantine: a deadline by a day, or a "
    "sweep left it out. The log names it.",
    ["partition"],
    registry=REGISTRY,
)
CUSTOMERS_LOADED = Counter(
    "ebb_customers_loaded",
    "Customers of chunks by where their states came from: `resident` in the worker, read from the `store`, or `new` "
    "without asking, where the partition was empty and everybody it has since got is resident.",
    ["source"],
    registry=REGISTRY,
)
RESIDENT_CUSTOMERS = Gauge(
    "ebb_resident_customers", "Customers whose states the worker keeps in memory.", ["partition"], registry=REGISTRY
)
FENCES = Counter("ebb_fences", "Times another worker was found to own the partition.", ["partition"], registry=REGISTRY)
SEEK_BACKS = Counter(
    "ebb_seek_backs", "Times a partition was sought back because Redis was behind.", ["partition"], registry=REGISTRY
)
STORE_RETRIES = Counter("ebb_store_retries", "Attempts repeated because Redis did not answer.", registry=REGISTRY)
POSITION_REPORTS_FAILED = Counter(
    "ebb_position_reports_failed", "Positions the consumer group could not be told.", registry=REGISTRY
)

# Time and silence
LIVE_CLOCK = Gauge("ebb_live_clock", "1 on the live clock, 0 in a replay.", registry=REGISTRY)
STREAM_TIME = Gauge("ebb_stream_time_seconds", "Stream time, seconds since 1970.", ["partition"], registry=REGISTRY)
DEADLINES_FIRED = Counter("ebb_deadlines_fired", "Customers whose deadline was due.", ["partition"], registry=REGISTRY)
DEADLINES_WAITING = Gauge("ebb_deadlines_waiting", "Customers with a deadline.", ["partition"], registry=REGISTRY)
DEADLINES_OVERDUE = Gauge(
    "ebb_deadlines_overdue",
    "Deadlines that have passed and not fired: by the wall on the live clock, by stream time in a replay.",
    ["partition"],
    registry=REGISTRY,
)
DEADLINE_LATENESS = ChunkHistogram(
    "ebb_deadline_lateness_seconds",
    "From a deadline until what it led to is committed, on the live clock.",
    registry=REGISTRY,
    buckets=UP_TO_HOURS,
)
CUSTOMERS_RENEWED = Counter(
    "ebb_customers_renewed", "Customers decided anew after models or rules changed.", ["partition"], registry=REGISTRY
)
SWEEP_PROGRESS = Gauge(
    "ebb_sweep_progress_ratio",
    "Share of customers renewed by the sweep after a change of models or rules; 1 where there is none.",
    ["partition"],
    registry=REGISTRY,
)
CLOCK_IGNORED = Counter(
    "ebb_clock_records_ignored", "Clock records read on the live clock, where they mean nothing.", registry=REGISTRY
)

# What is said
MESSAGES = Counter(
    "ebb_messages",
    f"Messages committed, by kind: {', '.join(MESSAGE_KINDS)}. A label is one that has matured, an identity an erasure "
    "or half a merge on its way to another partition.",
    ["kind"],
    registry=REGISTRY,
)
MESSAGE_LATENCY = Histogram(
    "ebb_message_latency_seconds",
    "From the Kafka timestamp of the record that caused a message, or on the live clock the deadline that did, until "
    "Kafka has acknowledged the message.",
    ["topic"],
    registry=REGISTRY,
    buckets=UP_TO_HOURS,
)
OUTBOX_WAITING = Gauge(
    "ebb_outbox_waiting", "Messages committed and not acknowledged by Kafka.", ["partition"], registry=REGISTRY
)
OUTBOX_OLDEST = Gauge(
    "ebb_outbox_oldest_seconds",
    "How long the first of them has waited, in this process; 0 when none waits.",
    ["partition"],
    registry=REGISTRY,
)
PUBLISH_RETRIES = Counter(
    "ebb_publish_retries", "Attempts repeated because Kafka did not acknowledge.", registry=REGISTRY
)

# Models
MODEL_INFO = Gauge("ebb_model_info", "1 for the version of a model in force.", ["name", "version"], registry=REGISTRY)
MODEL_EPOCH = Gauge("ebb_model_epoch_day", "Epoch day of the model in force.", ["name"], registry=REGISTRY)
EPOCH_WAIT_SECONDS = Counter(
    "ebb_epoch_wait_seconds", "Time lanes waited for the learner in lockstep.", registry=REGISTRY
)
MODELS_REFUSED = Counter(
    "ebb_models_refused",
    "Model documents refused for signature, layout or form, and keys that do not say which is in force.",
    ["name"],
    registry=REGISTRY,
)

# The shop: counted at commits, and read from Redis for the partitions of this worker
TOTALS = Counter(
    "ebb_shop",
    "What the partitions of this worker added to the totals in Redis key shop:{p} since it started; money in minor "
    "units of the currency.",
    ["name"],
    registry=REGISTRY,
)
SEGMENT_MOVES = Counter(
    "ebb_segment_moves",
    "Customers who went from one segment to another; new ones leave `none`.",
    ["left", "entered"],
    registry=REGISTRY,
)
CUSTOMERS = Gauge("ebb_customers", "Customers of this worker's partitions.", registry=REGISTRY)
SEGMENT_CUSTOMERS = Gauge("ebb_segment_customers", "Customers in a segment.", ["segment"], registry=REGISTRY)
CUSTOMERS_AT_RISK = Gauge("ebb_customers_at_risk", "Customers with some value at risk.", registry=REGISTRY)
VALUE_AT_RISK = Gauge(
    "ebb_value_at_risk_minor",
    "Value at risk of all customers as indexed, minor units; an index entry is within 5 % of its view.",
    registry=REGISTRY,
)
OPEN_ALERTS = Gauge("ebb_open_alerts", "Churn alerts open now.", registry=REGISTRY)
LABELS_OPEN = Gauge("ebb_labels_open", "Labels of snapshots that have not matured.", registry=REGISTRY)
SHOP_READ = Gauge("ebb_shop_read_timestamp_seconds", "When these gauges were last read from Redis.", registry=REGISTRY)

_COUNTED_BY_PARTITION = (
    COMMITS,
    COMMITS_REFUSED,
    CUSTOMERS_SET_ASIDE,
    FENCES,
    SEEK_BACKS,
    DEADLINES_FIRED,
    CUSTOMERS_RENEWED,
)
_STATE_OF_PARTITION = (
    STREAM_TIME,
    SWEEP_PROGRESS,
    DEADLINES_WAITING,
    DEADLINES_OVERDUE,
    OUTBOX_WAITING,
    OUTBOX_OLDEST,
    RESIDENT_CUSTOMERS,
)
_STATE_OF_TOPIC = (LAG, QUEUED_BYTES)

STAGES = {_stage: STAGE_SECONDS.labels(_stage) for _stage in ("take", "read", "step", "commit")}
for _reason in REASONS:  # from 0 on: the first of a kind is an increase too
    DEAD_LETTERS.labels(_reason)
for _source in ("resident", "store", "new"):
    CUSTOMERS_LOADED.labels(_source)
for _kind in MESSAGE_KINDS:
    MESSAGES.labels(_kind)
for _entered in SEGMENTS[UNSEGMENTED + 1 :]:  # the first centres move everybody at once
    SEGMENT_MOVES.labels(SEGMENTS[UNSEGMENTED], _entered)
for _topic in INPUT_TOPICS:
    LOG_GAPS.labels(_topic)
    for _pause in ("full", "leading"):
        FETCH_PAUSES.labels(_topic, _pause)


def begin_partition(partition: int, *, sweeping: bool = False) -> None:
    """A partition is ours: its counters are there from 0 on, so that the first fence is an increase.

    Of a sweep that another process has begun nobody knows how far it is before its next page.
    """
    for counter in _COUNTED_BY_PARTITION:
        counter.labels(partition)
    SWEEP_PROGRESS.labels(partition).set(0 if sweeping else 1)


def end_partition(partition: int) -> None:
    """A partition is another worker's now: only that one says how it is."""
    for gauge in _STATE_OF_PARTITION:
        gauge.remove(partition)
    for gauge in _STATE_OF_TOPIC:
        for topic in INPUT_TOPICS:
            gauge.remove(topic, partition)
