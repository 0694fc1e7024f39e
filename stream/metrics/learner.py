"""Metrics of a learner. Every name is declared here and nowhere else."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

LABELS = Counter("ebb_learner_labels", "Labels learned from, by learner.", ["name"], registry=REGISTRY)
OFFSET = Gauge("ebb_learner_offset", "Next offset of the labels log to be learned.", registry=REGISTRY)
LAG = Gauge(
    "ebb_learner_lag_records",
    "Records of the labels log that are there and not learned; looked at every 5 s.",
    registry=REGISTRY,
)
EPOCH_DAY = Gauge(
    "ebb_learner_epoch_day",
    "Last epoch day that all learners have published; a new one does not count.",
    registry=REGISTRY,
)
TRAIN_SECONDS = Histogram(
    "ebb_learner_train_seconds",
    "Time to learn one batch of labels.",
    registry=REGISTRY,
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60),
)
PUBLISHED = Gauge("ebb_learner_published_timestamp_seconds", "When models were last published.", registry=REGISTRY)
MODEL_INFO = Gauge(
    "ebb_learner_model_info", "1 for the version of a model published last.", ["name", "version"], registry=REGISTRY
)
SERVING = Gauge(
    "ebb_model_serving",
    "1 for the candidate that serves, 0 for the others.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
LOG_LOSS = Gauge(
    "ebb_model_log_loss",
    "Log loss of a candidate on the scores stored with snapshots.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
AUC = Gauge(
    "ebb_model_auc",
    "ROC AUC of a candidate on the scores stored with snapshots.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
PR_AUC = Gauge(
    "ebb_model_pr_auc",
    "Average precision of a candidate, other than a floor, on the scores stored with snapshots.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
BRIER = Gauge(
    "ebb_model_brier",
    "Brier score (mean squared error) of a candidate, other than a floor, on the scores stored with snapshots.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
CALIBRATION_ERROR = Gauge(
    "ebb_model_calibration_error",
    "Mean distance of what a candidate, other than a floor, said and what came true, in ten groups of labels.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
CHAMPION = Gauge(
    "ebb_model_champion",
    "1 for the champion, which serves unless it is below a floor.",
    ["outcome", "candidate"],
    registry=REGISTRY,
)
CHAMPION_SINCE = Gauge(
    "ebb_model_champion_since_seconds",
    "When the champion became it, as the time of the label that decided; 0 for the initial one.",
    ["outcome"],
    registry=REGISTRY,
)
PROPOSED = Gauge(
    "ebb_model_proposed",
    "1 while the blocks propose another champion; ebb models show says which.",
    ["outcome"],
    registry=REGISTRY,
)
PINNED = Gauge("ebb_model_pinned", "1 while a person has pinned the champion.", ["outcome"], registry=REGISTRY)
DECISIONS = Counter(
    "ebb_model_decisions", "Decisions of a person, by result: taken, refused.", ["outcome", "result"], registry=REGISTRY
)
CHALLENGERS_REFUSED = Counter(
    "ebb_challengers_refused",
    "Published challengers that were missing, or refused for signature, layout or form.",
    registry=REGISTRY,
)
REFUSED = Gauge(
    "ebb_learner_refused",
    "1 while what was saved of a learner is refused, and nothing is learned: unsigned, changed, or saved as another.",
    ["name"],
    registry=REGISTRY,
)
JUDGED = Gauge(
    "ebb_model_judged_labels", "Labels a candidate is judged on.", ["outcome", "candidate"], registry=REGISTRY
)
DRIFT = Gauge(
    "ebb_drift",
    "How far a column, the scores, the losses or the calibration of an outcome have moved when the last week ended.",
    ["measure", "subject"],
    registry=REGISTRY,
)
DRIFT_LIMIT = Gauge(
    "ebb_drift_limit", "Above this it is drift, and said on `ebb.drift`.", ["measure", "subject"], registry=REGISTRY
)
DRIFT_NOTICED = Counter("ebb_drift_noticed", "Messages on `ebb.drift`.", ["measure"], registry=REGISTRY)
DRIFT_CHALLENGERS = Gauge(
    "ebb_drift_challengers",
    "Candidates that began by themselves when drift was noticed and take part; ebb models show says which.",
    ["outcome"],
    registry=REGISTRY,
)
BROKER_RETRIES = Counter(
    "ebb_learner_broker_retries", "Attempts repeated because Kafka did not take a message.", registry=REGISTRY
)
STORE_RETRIES = Counter(
    "ebb_learner_store_retries", "Attempts repeated because Redis did not answer.", registry=REGISTRY
)
LOST = Counter(
    "ebb_learner_lost_records",
    "Records of the labels log that retention took before they were learned.",
    registry=REGISTRY,
)
UNREADABLE = Counter("ebb_learner_unreadable", "Records of the labels topic that are no label.", registry=REGISTRY)
