"""Metrics of a worker. Every name is declared here and nowhere else; labels are few and bounded."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

STAGE_SECONDS = Histogram(
    "ebb_stage_seconds",
    "Time a chunk spends in one stage: take, read, step, commit.",
    ["stage"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
RECORDS = Counter(
    "ebb_records",
    "Records by topic and what became of them: applied, duplicate, invalid.",
    ["topic", "result"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter("ebb_dead_letters", "Dead letters by reason.", ["reason"], registry=REGISTRY)
COMMITS = Counter("ebb_commits", "Chunks committed to Redis.", ["partition"], registry=REGISTRY)
COMMITS_REFUSED = Counter(
    "ebb_commits_refused", "Commits that found the partition at another version.", ["partition"], registry=REGISTRY
)
SEEK_BACKS = Counter(
    "ebb_seek_backs", "Times a topic was sought back because Redis was behind.", ["partition"], registry=REGISTRY
)
LOG_GAPS = Counter("ebb_log_gaps", "Records lost to retention before they were applied.", ["topic"], registry=REGISTRY)
STORE_RETRIES = Counter("ebb_store_retries", "Attempts repeated because Redis did not answer.", registry=REGISTRY)
PUBLISH_RETRIES = Counter(
    "ebb_publish_retries", "Attempts repeated because Kafka did not acknowledge.", registry=REGISTRY
)
OUTBOX_WAITING = Gauge(
    "ebb_outbox_waiting", "Messages committed and not acknowledged.", ["partition"], registry=REGISTRY
)
STREAM_TIME = Gauge("ebb_stream_time_seconds", "Stream time, seconds since 1970.", ["partition"], registry=REGISTRY)
DEADLINES_FIRED = Counter("ebb_deadlines_fired", "Customers whose deadline was due.", ["partition"], registry=REGISTRY)
CUSTOMERS_RENEWED = Counter(
    "ebb_customers_renewed", "Customers decided anew after models or rules changed.", ["partition"], registry=REGISTRY
)
SWEEP_PROGRESS = Gauge(
    "ebb_sweep_progress_ratio",
    "Share of customers renewed by the sweep, 1 at its end.",
    ["partition"],
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
TOTALS = Counter(
    "ebb_shop", "Totals of the shop by name, as in Redis key shop:{p}, since this start.", ["name"], registry=REGISTRY
)
MODEL_EPOCH = Gauge("ebb_model_epoch_day", "Epoch day of the model in force.", ["name"], registry=REGISTRY)
EPOCH_WAIT_SECONDS = Counter(
    "ebb_epoch_wait_seconds", "Time lanes waited for the learner in lockstep.", registry=REGISTRY
)
CLOCK_IGNORED = Counter(
    "ebb_clock_records_ignored", "Clock records read on the live clock, where they mean nothing.", registry=REGISTRY
)
MODELS_REFUSED = Counter(
    "ebb_models_refused", "Model documents refused for signature, layout or form.", ["name"], registry=REGISTRY
)
POSITION_REPORTS_FAILED = Counter(
    "ebb_position_reports_failed", "Positions the consumer group could not be told.", registry=REGISTRY
)
