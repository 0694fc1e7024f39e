"""The dashboard "Ingest": what `ebb ingest` makes of the records of other topics."""

from deploy.dashboards.panels import RATE, Board, Row, graph, number, quantiles

GLANCE = Row(
    "At a glance",
    (
        number("Processes up", "Of the map; they share the partitions of its sources.", 'sum(up{job="ebb-ingest"})',
               alarms_below=1),
        number("Source records per second", "Whatever became of them.", f"sum(rate(ebb_ingest_records_total{RATE}))"),
        number(
            "Records behind", "In the source topics and not committed.", "sum(ebb_ingest_lag_records)",
            warns_at=10_000, alarms_at=1_000_000,
        ),
        number(
            "Refused", "Share of the source records that are dead letters. The map or the source has changed.",
            f'sum(rate(ebb_ingest_records_total{{result="refused"}}{RATE}))'
            f" / (sum(rate(ebb_ingest_records_total{RATE})) > 0)",
            "percentunit", warns_at=0.001, alarms_at=0.01,
        ),
    ),
)  # fmt: skip

RECORDS = Row(
    "Records",
    (
        graph(
            "Source records by outcome",
            "Per second. Ignored ones are those that the map leaves out.",
            (f"sum by (topic, result) (rate(ebb_ingest_records_total{RATE}))", "{{topic}} {{result}}"),
            stacked=True,
        ),
        graph(
            "Events written",
            "Per second, by kind.",
            (f"sum by (kind) (rate(ebb_ingest_events_total{RATE}))", "{{kind}}"),
            stacked=True,
        ),
        graph(
            "Refused by reason",
            "Per second. The record and its reason are on events.invalid.",
            (f"sum by (reason) (rate(ebb_ingest_refused_total{RATE}))", "{{reason}}"),
        ),
    ),
)

DELIVERY = Row(
    "Delivery",
    (
        graph(
            "Records behind by topic",
            "Falls while a backlog is worked off; grows when processes are too slow or away.",
            ("sum by (topic) (ebb_ingest_lag_records)", "{{topic}}"),
            stacked=True,
        ),
        graph(
            "Time of a chunk",
            "To map it, send its events and commit it.",
            *quantiles("ebb_ingest_chunk_seconds"),
            unit="s",
        ),
        graph(
            "Retries",
            "Attempts per second while Kafka or the registry is away.",
            (f"sum by (service) (rate(ebb_ingest_retries_total{RATE}))", "{{service}}"),
        ),
        graph(
            "Chunks read again",
            "Times in the interval that a chunk's partitions had gone to another process. Some at a rebalance.",
            (f"sum(increase(ebb_ingest_commits_refused_total{RATE}))", "chunks"),
        ),
        graph(
            "Records lost to retention",
            "Since the processes started. Kafka dropped them before they were read.",
            ("sum by (topic) (ebb_ingest_lost_records_total)", "{{topic}}"),
        ),
    ),
)

INGEST = Board(
    "ebb-ingest",
    "Ingest",
    "What ebb ingest makes of the records of other topics, and whether it keeps up.",
    (GLANCE, RECORDS, DELIVERY),
)
