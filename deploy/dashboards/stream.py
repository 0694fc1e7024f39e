"""The dashboard "Stream": does Ebb keep up, and what is in the way when it does not."""

from deploy.dashboards.panels import RATE, Board, Choice, Row, graph, names, number, quantiles

OURS = 'instance=~"$worker"'

GLANCE = Row(
    "At a glance",
    (
        number("Workers up", "Workers that Prometheus can scrape.", 'sum(up{job="ebb-worker"})', alarms_below=1),
        number(
            "Learner up", "One learner per deployment: 1.", 'sum(up{job="ebb-learner"})', warns_at=2, alarms_below=1,
        ),
        number("Records per second", "Of all topics, whatever became of them.", f"sum(rate(ebb_records_total{RATE}))"),
        number(
            "Records behind", "In Kafka and not applied, over all topics and partitions.", "sum(ebb_lag_records)",
            warns_at=10_000, alarms_at=1_000_000,
        ),
        number(
            "Commit latency p99", "From a record's Kafka timestamp until Redis has it.",
            quantiles("ebb_commit_latency_seconds")[1][0], "s", warns_at=0.1, alarms_at=5,
        ),
        number(
            "Oldest message waiting", "How long the first message of the outbox waits for Kafka.",
            "max(ebb_outbox_oldest_seconds)", "s", warns_at=5, alarms_at=60,
        ),
        number(
            "Alerts firing", "Rules of deploy/prometheus/rules.yml that fire now.",
            'sum(ALERTS{alertstate="firing"}) or vector(0)', warns_at=1, alarms_at=5,
        ),
    ),
)  # fmt: skip

RECORDS = Row(
    "Records",
    (
        graph(
            "Records by outcome",
            "Per second. Duplicates come from producers that retry; invalid ones are dead letters: look at their "
            "reasons. Misrouted ones go the long way by events.rerouted: have producers key by customer with murmur2. "
            "Lost ones come once after a Redis that came back older.",
            (f"sum by (result) (rate(ebb_records_total{{{OURS}}}{RATE}))", "{{result}}"),
            stacked=True,
        ),
        graph(
            "Records by kind",
            "Per second, by kind of event.",
            (f"sum by (kind) (rate(ebb_records_total{{{OURS}}}{RATE}))", "{{kind}}"),
            stacked=True,
        ),
        graph(
            "Dead letters by reason",
            "Per second. The record and its reason are on events.invalid.",
            (f"sum by (reason) (rate(ebb_dead_letters_total{{{OURS}}}{RATE}))", "{{reason}}"),
        ),
        graph(
            "Set aside for a bug",
            "Times in the interval, with EBB_ON_BUG=quarantine: customers whose decision was put off by a day, and "
            "attempts at chunks that failed. The log names both; records are dead letters with the reason bug.",
            (f"sum(increase(ebb_customers_set_aside_total{{{OURS}}}{RATE}))", "customers"),
            (f"sum(increase(ebb_chunk_failures_total{{{OURS}}}{RATE}))", "attempts"),
        ),
        graph(
            "Records behind by topic",
            "Falls while a backlog is worked off; grows when workers are too slow, away, or held by Redis.",
            (f"sum by (topic) (ebb_lag_records{{{OURS}}})", "{{topic}}"),
            stacked=True,
        ),
        graph(
            "Bytes fetched and waiting",
            "A topic at EBB_QUEUE_BYTES is held: lanes are slower than Kafka.",
            (f"sum by (topic) (ebb_queued_bytes{{{OURS}}})", "{{topic}}"),
            unit="bytes",
        ),
        graph(
            "Fetching paused",
            "Times a minute that a topic was fetched no further: full, or leading the others by too much.",
            (f"60 * sum by (topic, reason) (rate(ebb_fetch_pauses_total{{{OURS}}}{RATE}))", "{{topic}} {{reason}}"),
        ),
        graph(
            "Records lost to retention",
            "Since the workers started. Kafka dropped them before they were applied: features have a gap.",
            (f"sum by (topic) (ebb_log_gaps_total{{{OURS}}})", "{{topic}}"),
        ),
    ),
)

LATENCY = Row(
    "Latency",
    (
        graph(
            "From Kafka to Redis",
            "A record's Kafka timestamp until its commit. After a pause it is the age of the backlog.",
            *quantiles("ebb_commit_latency_seconds", selector=OURS),
            unit="s",
        ),
        graph(
            "From cause to message",
            "The record's Kafka timestamp, or the deadline, until Kafka has acknowledged the message it led to.",
            *quantiles("ebb_message_latency_seconds", "topic", OURS),
            unit="s",
        ),
        graph(
            "Stages of a chunk, p99",
            "take: out of the queues; read: Redis; step: the engine; commit: Redis.",
            quantiles("ebb_stage_seconds", "stage", OURS)[1],
            unit="s",
        ),
        graph(
            "Busy by stage",
            "Seconds of work per second, over all lanes.",
            (f"sum by (stage) (rate(ebb_stage_seconds_sum{{{OURS}}}{RATE}))", "{{stage}}"),
            unit="s",
            stacked=True,
        ),
    ),
)

TIME = Row(
    "Time and silence",
    (
        graph(
            "Stream time behind the wall",
            "Per partition. On the live clock some tenths of a second when caught up; of a backlog or a history, "
            "its age. Below zero events of three customers came from the future, and time waits for the wall.",
            (f"time() - ebb_stream_time_seconds{{{OURS}}}", "partition {{partition}}"),
            unit="s",
            is_signed=True,
        ),
        graph(
            "Deadlines fired",
            "Customers per second who were looked at because nothing came.",
            (f"sum by (instance) (rate(ebb_deadlines_fired_total{{{OURS}}}{RATE}))", "{{instance}}"),
        ),
        graph(
            "Sweep after a change of models",
            "Share of a partition's customers who are decided under the models and rules of now.",
            (f"min by (partition) (ebb_sweep_progress_ratio{{{OURS}}})", "partition {{partition}}"),
            unit="percentunit",
        ),
        graph(
            "Deadlines overdue",
            "Passed and not fired. A long silence is worked off in portions of EBB_DUE_LIMIT.",
            (f"sum by (partition) (ebb_deadlines_overdue{{{OURS}}})", "partition {{partition}}"),
        ),
        graph(
            "How late deadlines fired",
            "On the live clock, from the deadline to the commit.",
            *quantiles("ebb_deadline_lateness_seconds", selector=OURS),
            unit="s",
        ),
        graph(
            "Deadlines waiting",
            "Customers with a deadline: about everybody who has been decided.",
            (f"sum by (partition) (ebb_deadlines_waiting{{{OURS}}})", "partition {{partition}}"),
            stacked=True,
        ),
    ),
)

DELIVERY = Row(
    "Delivery",
    (
        graph(
            "Commits",
            "Per second and worker.",
            (f"sum by (instance) (rate(ebb_commits_total{{{OURS}}}{RATE}))", "{{instance}}"),
        ),
        graph(
            "Fences, refused commits, seek-backs",
            "Some with a rebalance or a restart of Redis; steady ones mean two deployments on one Redis.",
            (f"sum(increase(ebb_fences_total{{{OURS}}}{RATE}))", "fences"),
            (f"sum(increase(ebb_commits_refused_total{{{OURS}}}{RATE}))", "refused commits"),
            (f"sum(increase(ebb_seek_backs_total{{{OURS}}}{RATE}))", "seek-backs"),
        ),
        graph(
            "Messages waiting",
            "Committed and not acknowledged by Kafka. At 20,000 a lane takes no more records.",
            (f"sum by (partition) (ebb_outbox_waiting{{{OURS}}})", "partition {{partition}}"),
        ),
        graph(
            "Age of the oldest message",
            "Grows by a second a second while Kafka takes nothing.",
            (f"max by (partition) (ebb_outbox_oldest_seconds{{{OURS}}})", "partition {{partition}}"),
            unit="s",
        ),
        graph(
            "Messages by kind",
            "Per second, as committed.",
            (f"sum by (kind) (rate(ebb_messages_total{{{OURS}}}{RATE}))", "{{kind}}"),
        ),
        graph(
            "Retries",
            "Attempts per second while Redis or Kafka is away, and positions the group could not be told.",
            (f"sum(rate(ebb_store_retries_total{{{OURS}}}{RATE}))", "Redis, workers"),
            (f"sum(rate(ebb_publish_retries_total{{{OURS}}}{RATE}))", "Kafka, workers"),
            (f"sum(rate(ebb_position_reports_failed_total{{{OURS}}}{RATE}))", "position reports"),
            (f"sum(rate(ebb_learner_store_retries_total{RATE}))", "Redis, learner"),
            (f"sum(rate(ebb_learner_broker_retries_total{RATE}))", "Kafka, learner"),
        ),
    ),
)

LEARNING = Row(
    "Learning",
    (
        graph(
            "Labels learned",
            "Per second, by learner.",
            (f"sum by (name) (rate(ebb_learner_labels_total{RATE}))", "{{name}}"),
        ),
        graph(
            "Labels behind",
            "Records of the labels log not learned yet. Grows without end: the learner is stuck.",
            ("ebb_learner_lag_records", "labels"),
        ),
        graph(
            "Time to learn a batch",
            "p50 and p99.",
            *quantiles("ebb_learner_train_seconds"),
            unit="s",
        ),
        graph(
            "Age of the models in force",
            "Since the learner published last; empty before it has.",
            ("time() - (ebb_learner_published_timestamp_seconds > 0)", "published"),
            unit="s",
        ),
        names(
            "Versions in force",
            "Numbers of labels learned; workers should show the version that the learner has published.",
            (f"max by (name, version) (ebb_model_info{{{OURS}}})", "{{name}} {{version}} in force"),
            ("max by (name, version) (ebb_learner_model_info)", "{{name}} {{version}} published"),
        ),
        graph(
            "Refused and unreadable",
            "Models and challengers with a wrong signature or layout, and records on labels that are no label; since "
            "the start. Saved learners that are refused now: nothing is learned meanwhile.",
            (f"sum(ebb_models_refused_total{{{OURS}}})", "models refused by workers"),
            ("sum(ebb_challengers_refused_total)", "challengers refused by the learner"),
            ("sum(ebb_learner_refused)", "saved learners refused"),
            ("sum(ebb_learner_unreadable_total)", "unreadable labels"),
            ("sum(ebb_learner_lost_records_total)", "lost labels"),
        ),
    ),
)

PROCESSES = Row(
    "Processes",
    (
        graph(
            "CPU",
            "Cores in use.",
            (f'rate(process_cpu_seconds_total{{job=~"ebb-.*"}}{RATE})', "{{instance}}"),
        ),
        graph(
            "Memory",
            "Resident bytes.",
            ('process_resident_memory_bytes{job=~"ebb-.*"}', "{{instance}}"),
            unit="bytes",
        ),
        graph(
            "Customers kept in memory",
            "Those need not be read again; at EBB_RESIDENT_BYTES new ones take the places of others.",
            (f"sum by (instance) (ebb_resident_customers{{{OURS}}})", "{{instance}}"),
        ),
        graph(
            "Customers of chunks",
            "Per second, by where their states came from: resident in the worker, read from the store, or new.",
            (f"sum by (source) (rate(ebb_customers_loaded_total{{{OURS}}}{RATE}))", "{{source}}"),
            stacked=True,
        ),
    ),
)

STREAM = Board(
    "ebb-stream",
    "Stream",
    "Does Ebb keep up, and what is in the way when it does not.",
    (GLANCE, RECORDS, LATENCY, TIME, DELIVERY, LEARNING, PROCESSES),
    (Choice("worker", "Worker", 'label_values(up{job="ebb-worker"}, instance)'),),
)
